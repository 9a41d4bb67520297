"""The scoreboard: a file in shared memory, in which each slot writes what it has started.

When a child dies, its record tells which task it was running, so that only this one is charged
with the death; while it lives, for how long it has been running it. It is a mapped file, because
that works between any two processes on every platform, and because it outlives them: when the
supervisor dies as well, the worker that rescues its tasks reads there which of them had started,
and then removes the file.
"""

import mmap
import os
import re
import stat
import struct
import sys
import tempfile
import time
from contextlib import suppress
from typing import NamedTuple

_RECORD = struct.Struct("=qdq")
_PREFIX = "liteq-board-"
_NAME = re.compile(_PREFIX + r"\w+", re.ASCII)

Handle = int | str
"""What a child opens a scoreboard by: a descriptor that it inherits; on Windows the path."""


class Started(NamedTuple):
    """The record of a slot: the delivery that it started last."""

    ticket: int  # 0: none
    since: float  # `time.monotonic`
    token: int  # of the claim, by which other processes know it too


class Scoreboard:
    """A scoreboard with one record per slot, as one process sees it."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, 0)

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


class OwnScoreboard(Scoreboard):
    """The scoreboard of this process's pool: a new file with an empty record for each slot.

    It is kept open, as what cleans temporary folders may delete the file of a worker that has been
    up for days.
    """

    def __init__(self, slots: int) -> None:
        self._fd, path = tempfile.mkstemp(prefix=_PREFIX)
        self.name = os.path.basename(path)
        self.handle: Handle = path if sys.platform == "win32" else self._fd
        os.write(self._fd, bytes(max(slots, 1) * _RECORD.size))
        super().__init__(self._fd)

    def remove(self) -> None:
        """Unmap the scoreboard and delete its file."""
        self._map.close()
        os.close(self._fd)
        remove(self.name)


def open_scoreboard(handle: Handle) -> Scoreboard:
    """Return the scoreboard of this child's pool. Raises FileNotFoundError if it is gone."""
    fd = handle if isinstance(handle, int) else os.open(handle, os.O_RDWR | _BINARY)
    try:
        return Scoreboard(fd)
    finally:
        os.close(fd)  # the map has its own


# Of the scoreboards of other processes a store tells the name, and whoever can write the store can
# write that. So it names a file of this user in this machine's folder, or none.

_BINARY: int = getattr(os, "O_BINARY", 0)
_PLAIN: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | _BINARY


def started_tokens(name: str) -> frozenset[int] | None:
    """Return the tokens of the claims that the slots of the scoreboard `name` started last.

    For the rescue of a dead worker's tasks. None when there is no such scoreboard here.
    """
    path = _path_of(name)
    if path is None:
        return None
    try:
        with open(os.open(path, os.O_RDONLY | _PLAIN), "rb") as file:
            if not _is_ours(os.fstat(file.fileno())):
                return None
            data = file.read()
    except OSError:
        return None
    whole = len(data) - len(data) % _RECORD.size
    return frozenset(token for ticket, _, token in _RECORD.iter_unpack(data[:whole]) if ticket)


def remove(name: str) -> None:
    """Delete the scoreboard `name`, if it is here."""
    path = _path_of(name)
    if path is not None:
        with suppress(OSError):
            if _is_ours(os.lstat(path)):
                os.unlink(path)


def _path_of(name: str) -> str | None:
    return os.path.join(tempfile.gettempdir(), name) if _NAME.fullmatch(name) else None


def _is_ours(found: os.stat_result) -> bool:
    mine = sys.platform == "win32" or found.st_uid == os.geteuid()
    return stat.S_ISREG(found.st_mode) and mine
