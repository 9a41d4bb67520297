"""Results from the tuples of ids that `as_tuple` made of them."""

from typing import Any

from .app import App
from .base import KINDS, ResultBase, linked


def result_from_tuple(found: Any, app: App | None = None) -> Any:
    """The result that `as_tuple` was asked of; lists will do, as JSON has them.

    A result is answered as it is.
    """
    if isinstance(found, ResultBase):
        return found
    line: list[tuple[type[ResultBase], tuple[Any, ...]]] = []
    while found is not None:  # a chain may be longer than calls can be deep
        (id, before), members = found
        if members is None:
            line.append((KINDS["task"], (id, None, None, app)))
        else:
            results = [result_from_tuple(member, app) for member in members]
            line.append((KINDS["group"], (id, results, None, app)))
        found = before
    return linked(reversed(line))
