"""Values in the options and arguments of signatures: lists of them, and copies."""

from typing import Any


def as_list(value: Any) -> list[Any]:
    """Return `value` as a list: of its items, or of itself alone; an empty list for None."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def unshared(value: Any) -> Any:
    """Return `value` with copies of the signatures, dicts, lists, sets and tuples in it."""
    kind = type(value)  # others, also those derived from these, are values of the user's
    if kind is dict:
        return {name: unshared(each) for name, each in value.items()}
    if kind in (list, tuple):
        return kind(map(unshared, value))
    if kind is set:
        return value.copy()
    return value.own_copy() if hasattr(kind, "own_copy") else value  # a signature
