"""Waiting for the gate to open, in the order of coming."""

import os
import random
import select
import sys
import time
from contextlib import suppress

from .runtime import runtime_folder


class WaitQueue:
    """Looks at the gate again and again: all that can be done everywhere."""

    def join(self) -> None:
        """Begin to wait, behind those who do."""

    def leave(self) -> None:
        """Wait no more."""

    def wait(self, seconds: float) -> None:
        """Until it is worth trying; for so many seconds at most."""
        time.sleep(min(random.uniform(0.0001, 0.0004), seconds))

    def wake_next(self) -> None:
        """Let the first one try."""

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
            # Anew each time: the kernel keeps them in the order in which they were registered.
            # Should it have no room for one more, or a Ctrl-C have kept us from leaving the last
            # time, we look again and again as everywhere.
            with suppress(OSError):
                self._poll.register(self._fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)

        def leave(self) -> None:
            with suppress(OSError):
                self._poll.unregister(self._fd)

        def wait(self, seconds: float) -> None:
            if self._poll.poll(seconds):
                with suppress(BlockingIOError):  # another one was faster
                    os.read(self._fd, 1)

        def wake_next(self) -> None:
            with suppress(BlockingIOError):  # full of calls that nobody has heard yet
                os.write(self._fd, b"!")

        def close(self) -> None:
            self._poll.close()
            os.close(self._fd)


def open_wait_queue(fd: int) -> WaitQueue:
    """The line before the gate whose file is open at `fd`."""
    if sys.platform == "linux":
        folder, found = runtime_folder(), os.fstat(fd)
        if folder is not None:
            with suppress(OSError):
                return _PipeQueue(os.path.join(folder, f"gate-{found.st_dev:x}-{found.st_ino:x}"))
    return WaitQueue()
