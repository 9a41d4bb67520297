"""A scoreboard in shared memory on which each slot writes what it is in.

When a child dies, its slot tells which task it was in, so that only this one is charged; while
it lives, for how long it has been in it. A file that both sides map, because that works between
any two processes on every platform, and because it outlives them: when the supervisor dies as
well, whoever rescues its tasks reads there which of them had started, and takes it down.
"""

import mmap
import os
import struct
import tempfile
import time
from contextlib import suppress
from typing import NamedTuple

_RECORD = struct.Struct("=qdq")
_PREFIX = "liteq-scoreboard-"


class Started(NamedTuple):
    """The ticket of what a slot started last, and when (`time.monotonic`)."""

    ticket: int
    since: float
    token: int  # of the claim, which means something to others as well


class Scoreboard:
    """One slot for each slot."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    @classmethod
    def create(cls, slots: int) -> "Scoreboard":
        """A new scoreboard with `slots` empty slots."""
        fd, path = tempfile.mkstemp(prefix=_PREFIX)
        os.write(fd, bytes(max(slots, 1) * _RECORD.size))
        os.close(fd)
        return cls(path)

    def write(self, slot: int, ticket: int, token: int) -> None:
        """Say that `slot`'s slot starts `ticket`, claimed with `token`, now.

        Raises ValueError once this process has removed the scoreboard.
        """
        _RECORD.pack_into(self._map, slot * _RECORD.size, ticket, time.monotonic(), token)

    def read(self, slot: int) -> Started:
        """What `slot`'s slot started last; ticket 0 is nothing yet."""
        return Started(*_RECORD.unpack_from(self._map, slot * _RECORD.size))

    def clear(self, slot: int) -> None:
        """A new child has nothing yet."""
        _RECORD.pack_into(self._map, slot * _RECORD.size, 0, 0.0, 0)

    def remove(self) -> None:
        """Take the scoreboard down."""
        self._map.close()
        remove(self.path)


def started_tokens(path: str) -> frozenset[int] | None:
    """The tokens of the claims that the slots of the scoreboard at `path` began last.

    Used by whoever rescues the tasks of a dead supervisor. None when the scoreboard is gone.
    """
    if not _is_scoreboard(path):
        return None
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    whole = len(data) - len(data) % _RECORD.size
    return frozenset(token for ticket, _, token in _RECORD.iter_unpack(data[:whole]) if ticket)


def remove(path: str) -> None:
    """Take down the scoreboard at `path`, if it is there."""
    if _is_scoreboard(path):
        with suppress(OSError):
            os.unlink(path)


def _is_scoreboard(path: str) -> bool:
    # The path comes out of the store: what it names is not opened or unlinked on its word alone.
    return os.path.basename(path).startswith(_PREFIX)
