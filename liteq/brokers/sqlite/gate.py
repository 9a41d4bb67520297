"""A fair queue in front of SQLite's write lock.

SQLite's own busy handler sleeps and tries again, so a busy neighbour can starve a process for
seconds: of six hammering writers two got one commit each in three seconds. To take a `flock`
first, in the order of coming, brings the worst wait from seconds to tens of milliseconds.

`flock` knows no deadline, and whoever holds the lock may have been stopped in the middle of a
transaction. So nobody is left to wait in it: the lock is tried, and tried again when whoever
leaves calls the next one. The call is a hint, on which nothing depends but speed: one that does
not hear it tries again after some milliseconds. (To leave the waiting to a thread made the median
of sixteen senders on two busy cores several times as long, since two have to wake up, one after
the other; to try after random fractions of a millisecond made it three times as long.)

Where there is no `flock`, or with `LITEQ_PORTABLE=1`, the gate is always open and the jittered
retry of `Session` is all.
"""

import os
import sys
import time
from contextlib import suppress

from ...support.portable import portable
from .tally import Tally
from .waiting import Line, line_at

_UNHEARD = 0.002, 0.020  # seconds until one tries who heard no call: at first, and later on


class Gate:
    """Always open."""

    def acquire(self, patience: float) -> bool:
        """Wait for the turn, for `patience` seconds at most; say whether it came."""
        return True

    def release(self) -> None:
        """Let the next one in. Without effect for somebody who is not in."""

    def close(self) -> None:
        """Leave for good; a lock that is held is let go of."""


if sys.platform == "win32":

    def make_gate(path: str, tally: Tally) -> Gate:
        """A gate for one thread."""
        return Gate()

else:
    import fcntl

    class _FileGate(Gate):
        """One opening of the lock file: lets one thread of one process in at a time."""

        def __init__(self, path: str, tally: Tally) -> None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(path, flags, 0o600)
            self._tally = tally
            self._line: Line | None = None  # until it is needed

        def acquire(self, patience: float) -> bool:
            if self._taken():
                return True
            line = self._line = self._line or line_at(self._fd)
            try:
                line.join()
                return self._wait(line, time.monotonic() + patience)
            finally:
                line.leave()

        def _wait(self, line: Line, deadline: float) -> bool:
            unheard, longest = _UNHEARD
            while True:
                self._tally.await_call()  # first: it may become free between the two
                if self._taken():
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                line.wait(min(left, unheard))
                unheard = min(unheard * 1.2, longest)

        def _taken(self) -> bool:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        def release(self) -> None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            if self._tally.call_awaited():
                self._line = self._line or line_at(self._fd)
                self._line.call()

        def close(self) -> None:
            fd, self._fd = self._fd, -1
            line, self._line = self._line, None
            if line is not None:
                line.close()
            with suppress(OSError):
                os.close(fd)  # the kernel lets go of the lock with it

    def make_gate(path: str, tally: Tally) -> Gate:
        """A gate for one thread; `path` is the file that all share. Raises OSError."""
        return Gate() if portable() else _FileGate(path, tally)
