"""The server's time, so that hosts whose clocks differ mean the same moment."""

import time

from ...exceptions import BrokerError
from .server import Server

_SYNC_EVERY = 30.0  # seconds
_JUMP = 0.5  # seconds by which the clock here was set, after which the server is asked again


class ServerClock:
    """Answers the server's time, which is asked for now and then only."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._offset = 0.0  # the server's time less ours
        self._skew = 0.0  # our time less the steady clock's: changes when the clock is set
        self._sync_at = float("-inf")

    def __call__(self) -> float:
        steady = time.monotonic()
        if steady >= self._sync_at or abs(time.time() - steady - self._skew) > _JUMP:
            self._sync()
        return time.time() + self._offset

    def _sync(self) -> None:
        before = time.time()
        self._skew = before - time.monotonic()
        self._sync_at = time.monotonic() + _SYNC_EVERY
        try:
            seconds, micros = self._server.ask("TIME")
        except BrokerError:
            return  # no worker may stop for this: it goes on with what it knew
        taken = time.time() - before
        self._offset = int(seconds) + int(micros) / 1e6 - before - taken / 2
