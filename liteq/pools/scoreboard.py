"""The scoreboard: a file in shared memory, in which each slot writes what it has started.

When a child dies, its record tells which task it was running, so that only this one is charged
with the death; while it lives, for how long it has been running it. It is a mapped file, because
that works between any two processes on every platform, and because it outlives them: when the
supervisor dies as well, the worker that rescues its tasks reads there which of them had started,
and then removes the file.
"""

import mmap
import os
import struct
import tempfile
import time
from contextlib import suppress
from typing import NamedTuple

_RECORD = struct.Struct("=qdq")
_PREFIX = "liteq-board-"


class Started(NamedTuple):
    """The record of a slot: the delivery that it started last."""

    ticket: int  # 0: none
    since: float  # `time.monotonic`
    token: int  # of the claim, by which other processes know it too


class Scoreboard:
    """A scoreboard with one record per slot."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    @classmethod
    def create(cls, slots: int) -> "Scoreboard":
        """Create a scoreboard with an empty record for each of `slots` slots."""
        fd, path = tempfile.mkstemp(prefix=_PREFIX)
        os.write(fd, bytes(max(slots, 1) * _RECORD.size))
        os.close(fd)
        return cls(path)

    def write(self, slot: int, ticket: int, token: int) -> None:
        """Record that `slot` starts `ticket`, claimed with `token`, now.

        Raises ValueError once this process has removed the scoreboard.
        """
        _RECORD.pack_into(self._map, slot * _RECORD.size, ticket, time.monotonic(), token)

    def read(self, slot: int) -> Started:
        """Return what `slot` started last."""
        return Started(*_RECORD.unpack_from(self._map, slot * _RECORD.size))

    def clear(self, slot: int) -> None:
        """Empty the record of `slot`, before it gets a new child."""
        _RECORD.pack_into(self._map, slot * _RECORD.size, 0, 0.0, 0)

    def remove(self) -> None:
        """Unmap the scoreboard and delete its file."""
        self._map.close()
        remove(self.path)


def started_tokens(path: str) -> frozenset[int] | None:
    """Return the tokens of the claims that the slots of the scoreboard at `path` started last.

    For the rescue of a dead worker's tasks. None when the scoreboard is gone.
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
    """Delete the scoreboard at `path`, if it is there."""
    if _is_scoreboard(path):
        with suppress(OSError):
            os.unlink(path)


def _is_scoreboard(path: str) -> bool:
    # The path comes from the store, which alone must not decide what is opened or deleted.
    return os.path.basename(path).startswith(_PREFIX)
