"""A bell inside one process, for brokers whose news arrive there."""

import socket
from contextlib import suppress

from .base import Bell


class LocalBell(Bell):
    """Two sockets joined: who rings writes to one, who waits reads from the other.

    Sockets, since Windows can wait on nothing else with `selectors`.
    """

    def __init__(self) -> None:
        self._ear, self._hammer = socket.socketpair()
        self._hammer.setblocking(False)

    def ring(self) -> None:
        """Ring. Never waits: a full pipe rings already, a closed one has nobody listening."""
        with suppress(OSError):
            self._hammer.send(b"!")

    def fileno(self) -> int:
        return self._ear.fileno()

    def wait(self, timeout: float) -> bool:
        self._ear.settimeout(max(timeout, 0.0))
        try:
            rang = bool(self._ear.recv(1))
        except (BlockingIOError, TimeoutError):
            return False
        self.silence()
        return rang

    def silence(self) -> None:
        self._ear.settimeout(0.0)
        with suppress(BlockingIOError):
            while self._ear.recv(4096):
                pass

    def close(self) -> None:
        self._ear.close()
        self._hammer.close()

    def __del__(self) -> None:
        self.close()  # a thread that ended leaves its bell behind
