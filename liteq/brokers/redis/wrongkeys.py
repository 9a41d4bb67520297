"""Keys of a store that another program has written over, so that they are of another type."""

import logging
from collections.abc import Callable, Iterable, Sequence

from .replies import text_of

_TYPES = {
    b"hash": "a hash",
    b"list": "a list",
    b"number": "a number",
    b"set": "a set",
    b"stream": "a stream",
    b"string": "a string",
    b"zset": "a sorted set",
}
_SIGNS = ("WRONGTYPE", "value is not an integer")  # in the errors of the server
_LONGEST_NAME = 255  # characters
_MOST_NAMES = 1000

FindWrongKeys = Callable[[Iterable[object]], Sequence[Sequence[bytes]]]
"""A function from names to the reply of wrong_keys.lua."""

_logger = logging.getLogger("liteq.broker")


def is_about_type(exc: Exception) -> bool:
    """Return whether the server refused a command because of what its key holds."""
    return any(sign in str(exc) for sign in _SIGNS)


def names_in(args: Iterable[object]) -> list[str]:
    """Return what may be ids or names among the arguments of a command."""
    texts = (str(each) for each in args if isinstance(each, str | int))
    names = (each for each in texts if len(each) <= _LONGEST_NAME and each.isprintable())
    return list(dict.fromkeys(names))[:_MOST_NAMES]


def describe(replies: Sequence[Sequence[bytes]]) -> str:
    """Return what is wrong with the keys in a reply of wrong_keys.lua, and the cure."""
    keys = [text_of(key) for key, *_ in replies]
    wrong = ", and ".join(
        f"the key {key} is {_TYPES.get(kind, text_of(kind))}, not {_TYPES[wanted]}"
        for key, (_, kind, wanted) in zip(keys, replies, strict=True)
    )
    return (
        f"{wrong}: another program has written there. Let it use other keys or another database, "
        f"and delete what it wrote: DEL {' '.join(keys)}"
    )


class OverwrittenQueues:
    """The queues of the store at `url` that cannot be claimed from. Each is logged once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: set[bytes] = set()

    def note(self, keys: Sequence[bytes], find: FindWrongKeys) -> None:
        """Note that `keys`, those of the ready tasks of some queues, were written over."""
        self._known &= set(keys)  # one that was mended is logged if it happens again
        new = set(keys) - self._known
        if new:
            names = [text_of(key).partition(":ready:")[2] for key in new]
            replies = [reply for reply in find(names) if reply[0] in new]
            if replies:  # none if the keys were mended since, or the server did not say
                _logger.error("%s: %s", self._url, describe(replies))
            self._known.update(key for key, *_ in replies)
