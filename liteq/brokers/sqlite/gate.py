"""A fair queue in front of SQLite's write lock.

SQLite's own busy handler sleeps and tries again, so a busy neighbour can starve a process for
seconds: of six hammering writers two got one commit each in three seconds. Queueing for a `flock`
first brings the worst wait from seconds to tens of milliseconds.

`flock` knows no deadline, and whoever holds the lock may have been stopped in the middle of a
transaction. So it is tried for a tenth of a second, in which nearly every wait ends, and after
that a thread waits there. The caller may look away when it has waited long enough; the place in
the queue is kept for its next try. (To leave all waiting to the thread, or all after 5 ms, made
the median of sixteen senders on two busy cores several times as long: the lock lies idle until
the caller has been woken as well. Trying is about as fair: see the test of six writers.)

Where there is no `flock`, or with `LITEQ_PORTABLE=1`, the gate is always open and the jittered
retry of `Session` is all.
"""

import os
import random
import sys
import time
from _thread import allocate_lock, start_new_thread
from contextlib import suppress

from ...portable import portable

_TRIES = 0.1  # seconds of trying before it is left to a thread


class Gate:
    """Always open."""

    def acquire(self, patience: float) -> bool:
        """Wait for the turn, for `patience` seconds at most; say whether it came."""
        return True

    def release(self) -> None:
        """Let the next one in. Without effect for somebody who is not in."""

    def close(self) -> None:
        """Leave for good; a lock that is held is let go of."""

    def disown(self) -> None:
        """In a forked child: close what is the parent's, and leave its lock alone."""


if sys.platform == "win32":

    def make_gate(path: str) -> Gate:
        """A gate for one thread."""
        return Gate()

else:
    import fcntl

    class _FileGate(Gate):
        """One opening of the lock file: lets one thread of one process in at a time."""

        def __init__(self, path: str) -> None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(path, flags, 0o600)
            self._place: _Place | None = None  # kept from a try that was given up

        def acquire(self, patience: float) -> bool:
            place = self._place
            if place is None or not place.rejoin():
                self._place = None
                if _try(self._fd, min(patience, _TRIES)):
                    return True
                patience = max(patience - _TRIES, 0.0)
                place = _Place(self._fd)
            # However this ends, by a Ctrl-C too: either the lock is ours, and `release` opens it,
            # or the place knows that nobody is there to take it.
            try:
                if not place.join():
                    return _try(self._fd, patience)
                place.come.acquire(timeout=patience)
            finally:
                self._place = place if place.leave() else None
            return self._place is None

        def release(self) -> None:
            if self._place is None:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

        def close(self) -> None:
            fd, self._fd = self._fd, -1
            if self._place is None or not self._place.bequeath():
                os.close(fd)  # the kernel lets go of the lock with it

        def disown(self) -> None:
            fd, self._fd = self._fd, -1
            with suppress(OSError):
                os.close(fd)

    class _Place:
        """A place in the kernel's queue: a thread that waits in `flock` on `fd`."""

        def __init__(self, fd: int) -> None:
            self._fd = fd
            self._lock = allocate_lock()
            self._waits = False  # the thread is there
            self._wanted = True  # and so is the one it waits for
            self._last = False  # nobody comes back for the descriptor
            self.come = allocate_lock()  # can be acquired once the turn has come
            self.come.acquire()

        def join(self) -> bool:
            """Stand in the queue; False where no thread can be started any more."""
            with self._lock:
                if not self._waits:
                    try:
                        start_new_thread(self._wait, ())
                    except RuntimeError:  # the interpreter is shutting down
                        return False
                    self._waits = True
                return True

        def rejoin(self) -> bool:
            """Come back; False when the turn came meanwhile and was passed on."""
            with self._lock:
                self._wanted = self._waits
                return self._waits

        def leave(self) -> bool:
            """Look away; say whether the thread still waits, from now on for nobody."""
            with self._lock:
                self._wanted = False
                return self._waits

        def bequeath(self) -> bool:
            """Leave the descriptor to the thread; False when it waits no more."""
            with self._lock:
                self._last = self._waits
                return self._waits

        def _wait(self) -> None:
            with suppress(OSError):  # no locks left: SQLite's own lock has to do
                fcntl.flock(self._fd, fcntl.LOCK_EX)
            with self._lock:
                self._waits = False
                if not self._wanted:
                    fcntl.flock(self._fd, fcntl.LOCK_UN)
                if self._last:
                    os.close(self._fd)
            self.come.release()

    def _try(fd: int, seconds: float) -> bool:
        """Try for so many seconds, in no order; say whether it was given."""
        deadline = 0.0
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                now = time.monotonic()
            deadline = deadline or now + seconds
            if now > deadline:
                return False
            time.sleep(random.uniform(0.0001, 0.0004))

    def make_gate(path: str) -> Gate:
        """A gate for one thread; `path` is the file that all share. Raises OSError."""
        return Gate() if portable() else _FileGate(path)
