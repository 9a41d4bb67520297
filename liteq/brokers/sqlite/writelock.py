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
from .sharedstate import SharedState
from .waitqueue import WaitQueue, open_wait_queue

_RETRY_AFTER = 0.002, 0.020  # seconds until one tries who heard no call: at first, and later on


class WriteLock:
    """Always open."""

    def acquire(self, timeout: float) -> bool:
        """Wait for the turn, for `timeout` seconds at most; say whether it came."""
        return True

    def release(self) -> None:
        """Let the next one in. Without effect for somebody who is not in."""

    def close(self) -> None:
        """Leave for good; a lock that is held is let go of."""


if sys.platform == "win32":

    def make_write_lock(path: str, shared_state: SharedState) -> WriteLock:
        """A gate for one thread."""
        return WriteLock()

else:
    import fcntl

    class _FileLock(WriteLock):
        """One opening of the lock file: lets one thread of one process in at a time."""

        def __init__(self, path: str, shared_state: SharedState) -> None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(path, flags, 0o600)
            self._shared_state = shared_state
            self._queue: WaitQueue | None = None  # until it is needed

        def acquire(self, timeout: float) -> bool:
            if self._taken():
                return True
            queue = self._queue = self._queue or open_wait_queue(self._fd)
            try:
                queue.join()
                return self._wait(queue, time.monotonic() + timeout)
            finally:
                queue.leave()

        def _wait(self, queue: WaitQueue, deadline: float) -> bool:
            delay, longest = _RETRY_AFTER
            while True:
                self._shared_state.request_wakeup()  # first: it may become free between the two
                if self._taken():
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                queue.wait(min(left, delay))
                delay = min(delay * 1.2, longest)

        def _taken(self) -> bool:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        def release(self) -> None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            if self._shared_state.take_wakeup_request():
                self._queue = self._queue or open_wait_queue(self._fd)
                self._queue.wake_next()

        def close(self) -> None:
            fd, self._fd = self._fd, -1
            queue, self._queue = self._queue, None
            if queue is not None:
                queue.close()
            with suppress(OSError):
                os.close(fd)  # the kernel lets go of the lock with it

    def make_write_lock(path: str, shared_state: SharedState) -> WriteLock:
        """A gate for one thread; `path` is the file that all share. Raises OSError."""
        return WriteLock() if portable() else _FileLock(path, shared_state)
