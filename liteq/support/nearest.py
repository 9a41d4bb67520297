"""Suggestions for misspelt names."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], closeness: float = 0.6) -> str | None:
    """Return the most similar of `known`, or None; `closeness` is from 0 to 1, the same text."""
    from difflib import get_close_matches  # 1 ms, which only a mistake costs

    found = get_close_matches(name, list(known), n=1, cutoff=closeness)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return the end of an error message: `; did you mean 'x'?`, or `otherwise`."""
    return suggestion(nearest(name, known), otherwise)


def suggestion(near: str | None, otherwise: str = "") -> str:
    """Return the same for the most similar name, if there is one: see `nearest`."""
    return otherwise if near is None else f"; did you mean {near!r}?"
