"""The write lock: a fair lock that processes of liteq take before SQLite's own.

SQLite's busy handler sleeps and tries again, so a busy neighbour can starve a process for
seconds: of six hammering writers two got one commit each in three seconds. Taking a `flock`
first, in order of arrival, brings the worst wait from seconds to tens of milliseconds.

`flock` has no timeout, and the holder may have been stopped in the middle of a transaction. So no
process blocks in it: the lock is tried, and tried again when its holder releases it and wakes the
next process in the queue. That wake-up is a hint, and only speed depends on it: a process that
misses it tries again after some milliseconds. (Waiting in a thread made the median of sixteen
senders on two busy cores several times as long, since two threads have to wake up, one after the
other; trying after random fractions of a millisecond made it three times as long.)

Where there is no `flock`, or with `LITEQ_PORTABLE=1`, the lock is always free, and the random
retry of `Session` is all there is.
"""

import os
import sys
import time
from contextlib import suppress

from ...support.portable import portable
from .sharedstate import SharedState
from .waitqueue import WaitQueue, open_wait_queue

_RETRY_AFTER = 0.002, 0.020  # seconds until a process without a wake-up tries: at first, and later


class WriteLock:
    """A lock that is always free."""

    def acquire(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the lock; return whether this thread has it now."""
        return True

    def release(self) -> None:
        """Release the lock and wake the next process. Has no effect for one without the lock."""

    def close(self) -> None:
        """Close the lock, and release it if it is held."""


if sys.platform == "win32":

    def make_write_lock(path: str, state: SharedState) -> WriteLock:
        """Return the lock for one thread."""
        return WriteLock()

else:
    import fcntl

    class _FileLock(WriteLock):
        """One opening of the lock file: held by one thread of one process at a time."""

        def __init__(self, path: str, state: SharedState) -> None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(path, flags, 0o600)
            self._state = state
            self._queue: WaitQueue | None = None  # until it is needed

        def acquire(self, timeout: float) -> bool:
            if self._try():
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
                self._state.request_wakeup()  # before the try: it may be released between the two
                if self._try():
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                queue.wait(min(left, delay))
                delay = min(delay * 1.2, longest)

        def _try(self) -> bool:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        def release(self) -> None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            if self._state.take_wakeup_request():
                self._queue = self._queue or open_wait_queue(self._fd)
                self._queue.wake_next()

        def close(self) -> None:
            fd, self._fd = self._fd, -1
            queue, self._queue = self._queue, None
            if queue is not None:
                queue.close()
            with suppress(OSError):
                os.close(fd)  # the kernel releases the lock with it

    def make_write_lock(path: str, state: SharedState) -> WriteLock:
        """Return the lock for one thread; all share the file at `path`. Raises OSError."""
        return WriteLock() if portable() else _FileLock(path, state)
