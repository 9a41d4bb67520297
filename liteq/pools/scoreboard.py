"""The scoreboard: a file in shared memory, in which each slot writes what it has started.

When a child dies, its record tells which task it was running, so that only this one is charged
with the death; while it lives, for how long it has been running it. It is a mapped file, because
that works between any two processes on every platform, and because it outlives them: when the
supervisor dies as well, the worker that rescues its tasks reads there which of them had started,
and then removes the file.

Each record also has a cell that only the supervisor writes: the tickets up to it are recalled. So
what a slot has not started is taken back without the help of its child, which may be in C code
that holds the interpreter lock, or stopped.
"""

import mmap
import os
import re
import stat
import struct
import sys
import threading
import time
from contextlib import suppress
from typing import NamedTuple

_CELLS = 4  # in a record, of 8 bytes each
_TICKET, _SINCE, _TOKEN, _RECALLED = range(_CELLS)
_RECORD = struct.Struct(f"={_CELLS}q")
_PREFIX = "liteq-scoreboard-"
_NAME = re.compile(_PREFIX + r"\w+", re.ASCII)
_BINARY: int = getattr(os, "O_BINARY", 0)  # what only some systems have
_OPEN_FLAGS: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | _BINARY

Handle = int | str
"""Identify a scoreboard for a child: a descriptor that it inherits; on Windows the path."""


class Started(NamedTuple):
    """The record of a slot: the delivery that it started last."""

    ticket: int  # 0: none
    since: float  # `time.monotonic`
    token: int  # of the claim, by which other processes know it too


class Scoreboard:
    """A scoreboard with one record per slot, as one process sees it."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, 0)
        # An item of it is read and written as 8 aligned bytes at once, so never half a number.
        # `struct.pack_into` is no substitute: it first fills the whole record with zeros.
        self._cells = memoryview(self._map).cast("q")
        self._lock = threading.Lock()  # of nothing, and always held: see `_fence`
        self._lock.acquire()

    def write(self, slot: int, ticket: int, token: int) -> None:
        """Record that `slot` starts `ticket`, claimed with `token`, now.

        Raises ValueError once this process has removed the scoreboard.
        """
        first, cells = slot * _CELLS, self._cells
        # The time comes first: a new ticket with an old time would seem to run for long.
        cells[first + _SINCE] = time.monotonic_ns()
        cells[first + _TICKET] = ticket
        cells[first + _TOKEN] = token

    def start(self, slot: int, ticket: int, token: int) -> bool:
        """Record the same, unless `ticket` is recalled; return whether `slot` may run it.

        Called by the one thread of a child that runs tasks, with growing tickets.
        """
        first, cells = slot * _CELLS, self._cells
        cells[first + _SINCE] = time.monotonic_ns()
        # The child writes its ticket, then reads what is recalled; the supervisor writes what is
        # recalled, then reads the ticket. The second of them sees what the other has written,
        # so a ticket is never both started and taken back.
        cells[first + _TICKET] = ticket
        self._fence()
        if ticket <= cells[first + _RECALLED]:
            return False
        # Last: after the death of the whole worker, this alone says that the task had started.
        cells[first + _TOKEN] = token
        return True

    def recall(self, slot: int, last: int) -> int:
        """Recall the tickets of `slot` up to `last`; return the ticket that it started last.

        Higher ones were not started, and those up to `last` never will be. The one that is
        returned is running, has ended, or will be returned by the child, if it saw the recall.
        """
        first, cells = slot * _CELLS, self._cells
        cells[first + _RECALLED] = last
        self._fence()
        return cells[first + _TICKET]

    def _fence(self) -> None:
        """Make what was written visible to other processes before anything else is read.

        A processor, x86 too, may delay a write beyond the reads that follow it, but not beyond the
        release of a lock; and it does not read ahead of an acquisition that follows the release.
        """
        self._lock.release()
        self._lock.acquire()

    def read(self, slot: int) -> Started:
        """Return what `slot` started last."""
        first, cells = slot * _CELLS, self._cells
        ticket = cells[first + _TICKET]  # before its time, as that is written before the ticket
        return Started(ticket, cells[first + _SINCE] / 1e9, cells[first + _TOKEN])

    def clear(self, slot: int) -> None:
        """Forget what the last child of `slot` started, before it gets a new one."""
        first = slot * _CELLS
        for cell in (_TICKET, _SINCE, _TOKEN):
            self._cells[first + cell] = 0


class OwnScoreboard(Scoreboard):
    """The scoreboard of this process's pool: a new file with an empty record for each slot.

    It is kept open, as what cleans temporary folders may delete the file of a worker that has been
    up for days.
    """

    def __init__(self, slots: int) -> None:
        self.name: str = f"{_PREFIX}{os.urandom(8).hex()}"
        path = os.path.join(_folder(), self.name)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN_FLAGS, 0o600)
        self.handle: Handle = path if sys.platform == "win32" else self._fd
        os.write(self._fd, bytes(max(slots, 1) * _RECORD.size))
        super().__init__(self._fd)

    def unmap(self) -> None:
        """Unmap it, in a fork of its process, which can map it anew by its `handle`."""
        self._cells.release()
        self._map.close()

    def remove(self) -> None:
        """Unmap the scoreboard and delete its file."""
        self.unmap()
        os.close(self._fd)
        remove(self.name)


def open_scoreboard(handle: Handle) -> Scoreboard:
    """Return the scoreboard of this child's pool. Raises FileNotFoundError if it is gone."""
    fd = handle if isinstance(handle, int) else os.open(handle, os.O_RDWR | _BINARY)
    try:
        return Scoreboard(fd)
    finally:
        os.close(fd)  # the map has its own


# The names of other scoreboards come from the store, where others may write. So a name is accepted
# only if it is that of a plain file of this user in the folder for temporary files.


def started_tokens(name: str) -> frozenset[int] | None:
    """Return the tokens of the claims that the slots of the scoreboard `name` started last.

    For the rescue of a dead worker's tasks. None when there is no such scoreboard here.
    """
    path = _path_of(name)
    if path is None:
        return None
    try:
        with open(os.open(path, os.O_RDONLY | _OPEN_FLAGS), "rb") as file:
            if not _is_ours(os.fstat(file.fileno())):
                return None
            data = file.read()
    except OSError:
        return None
    whole = len(data) - len(data) % _RECORD.size
    return frozenset(token for ticket, _, token, _ in _RECORD.iter_unpack(data[:whole]) if ticket)


def remove(name: str) -> None:
    """Delete the scoreboard `name`, if it is here."""
    path = _path_of(name)
    if path is not None:
        with suppress(OSError):
            if _is_ours(os.lstat(path)):
                os.unlink(path)


def _path_of(name: str) -> str | None:
    return os.path.join(_folder(), name) if _NAME.fullmatch(name) else None


def _folder() -> str:
    """Return `tempfile.gettempdir()`, in most cases without that module, which takes 5 ms."""
    if "tempfile" not in sys.modules and sys.platform != "win32":
        folder = os.path.abspath(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108
        if os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    import tempfile

    return tempfile.gettempdir()


def _is_ours(found: os.stat_result) -> bool:
    mine = sys.platform == "win32" or found.st_uid == os.geteuid()
    return stat.S_ISREG(found.st_mode) and mine
