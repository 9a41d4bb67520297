"""The name that somebody meant who gave one that there is not."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], closeness: float = 0.6) -> str | None:
    """The one of `known` that is most like `name`, if any is; `closeness`: 1 is the same."""
    from difflib import get_close_matches  # 1 ms, which only mistakes need to pay

    found = get_close_matches(name, list(known), n=1, cutoff=closeness)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of an error's message: `; did you mean 'x'?`, or `otherwise`."""
    near = nearest(name, known)
    return otherwise if near is None else f"; did you mean {near!r}?"
