"""The queue of the processes that wait for the write lock, in order of arrival."""

import os
import select
import sys
import time
from contextlib import suppress

from ...support.randomness import uniform
from .runtime import runtime_folder


class WaitQueue:
    """A queue without order: each process polls. It works on every platform."""

    def join(self) -> None:
        """Begin to wait, behind those who already do."""

    def leave(self) -> None:
        """Stop waiting."""

    def wait(self, seconds: float) -> None:
        """Wait until the lock is worth trying, for `seconds` at most."""
        time.sleep(min(uniform(0.0001, 0.0004), seconds))

    def wake_next(self) -> None:
        """Wake the first process in the queue."""

    def close(self) -> None:
        """Close what is open."""


if sys.platform == "linux":

    class _PipeQueue(WaitQueue):
        """A named pipe: a byte in it wakes the one that has waited longest (EPOLLEXCLUSIVE)."""

        def __init__(self, path: str) -> None:
            with suppress(FileExistsError):
                os.mkfifo(path, 0o600)
            flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(path, flags)
            try:
                self._poll = select.epoll()
            except OSError:
                os.close(self._fd)
                raise

        def join(self) -> None:
            # Registered again each time: the kernel wakes in the order of registration. This
            # fails if the kernel has no room for one more, or if a Ctrl-C kept us from leaving
            # the last time; then we poll, as on other platforms.
            with suppress(OSError):
                self._poll.register(self._fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)

        def leave(self) -> None:
            with suppress(OSError):
                self._poll.unregister(self._fd)

        def wait(self, seconds: float) -> None:
            if self._poll.poll(seconds):
                with suppress(BlockingIOError):  # another process was faster
                    os.read(self._fd, 1)

        def wake_next(self) -> None:
            with suppress(BlockingIOError):  # full of bytes that no process has read yet
                os.write(self._fd, b"!")

        def close(self) -> None:
            self._poll.close()
            os.close(self._fd)


def open_wait_queue(fd: int) -> WaitQueue:
    """Return the queue for the lock file that is open at `fd`."""
    if sys.platform == "linux":
        folder, found = runtime_folder(), os.fstat(fd)
        if folder is not None:
            with suppress(OSError):
                return _PipeQueue(os.path.join(folder, f"gate-{found.st_dev:x}-{found.st_ino:x}"))
    return WaitQueue()
