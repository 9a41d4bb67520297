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
import struct
import tempfile
import threading
import time
from contextlib import suppress
from typing import NamedTuple

_CELLS = 4  # in a record, of 8 bytes each
_TICKET, _SINCE, _TOKEN, _RECALLED = range(_CELLS)
_RECORD = struct.Struct(f"={_CELLS}q")
_PREFIX = "liteq-scoreboard-"


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
        # An item of it is read and written as 8 aligned bytes at once, so never half a number.
        # `struct.pack_into` is no substitute: it first fills the whole record with zeros.
        self._cells = memoryview(self._map).cast("q")
        self._lock = threading.Lock()  # of nothing, and always held: see `_fence`
        self._lock.acquire()

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
        # recalled, then reads the ticket. Whoever comes second sees what the other has written,
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

    def remove(self) -> None:
        """Unmap the scoreboard and delete its file."""
        self._cells.release()
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
    return frozenset(token for ticket, _, token, _ in _RECORD.iter_unpack(data[:whole]) if ticket)


def remove(path: str) -> None:
    """Delete the scoreboard at `path`, if it is there."""
    if _is_scoreboard(path):
        with suppress(OSError):
            os.unlink(path)


def _is_scoreboard(path: str) -> bool:
    # The path comes from the store, which alone must not decide what is opened or deleted.
    return os.path.basename(path).startswith(_PREFIX)
