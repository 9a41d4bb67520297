"""A way for other threads to wake a selector."""

import socket
from contextlib import suppress
from select import select


class Alarm:
    """Readable once it was set; `silence` makes it quiet again."""

    def __init__(self) -> None:
        # Not a pipe: on Windows a selector waits for sockets only.
        self._out, self._in = socket.socketpair()
        self._out.setblocking(False)
        self._in.setblocking(False)

    def fileno(self) -> int:
        return self._out.fileno()

    def set(self) -> None:
        """Wake whoever waits. Never blocks, and may be called from a signal handler."""
        with suppress(OSError):  # full: it is set already; closed: nobody waits any more
            self._in.send(b"!")

    def wait(self, timeout: float) -> None:
        """Wait until it is set, for `timeout` seconds at most. It stays set."""
        select([self._out], [], [], max(timeout, 0.0))

    def silence(self) -> None:
        """Quiet again."""
        with suppress(BlockingIOError):
            while self._out.recv(512):
                pass

    def close(self) -> None:
        """Close both ends."""
        self._out.close()
        self._in.close()
