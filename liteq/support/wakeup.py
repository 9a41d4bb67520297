"""A wake-up call from other threads for a selector or a waiting thread."""

import signal
import socket
from contextlib import suppress


class Wakeup:
    """A file-like object for a selector that is readable from `set` until `clear`.

    A pair of sockets, not a pipe: on Windows a selector waits for sockets only.
    """

    def __init__(self) -> None:
        self._out, self._in = socket.socketpair()
        self._in.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor for a selector; -1 once this is closed."""
        return self._out.fileno()

    def set(self) -> None:
        """Wake the waiting thread. Never blocks, and may be called from a signal handler."""
        with suppress(OSError):  # full: it is set already; closed: no thread waits any more
            self._in.send(b"!")

    def set_by_signals(self) -> None:
        """Have every signal that this process handles set it, also while it waits for others."""
        signal.set_wakeup_fd(self._in.fileno(), warn_on_full_buffer=False)

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until it is set; clear it, and return whether it was."""
        self._out.settimeout(max(timeout, 0.0))
        try:
            woken = bool(self._out.recv(1))
        except (BlockingIOError, TimeoutError):
            return False
        self.clear()
        return woken

    def clear(self) -> None:
        """Make it unreadable until it is set again."""
        self._out.settimeout(0.0)
        with suppress(BlockingIOError):
            while self._out.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        self._out.close()
        self._in.close()
