"""The server's time, which is the same for hosts whose clocks differ."""

import time

from ...exceptions import BrokerError
from .server import Server

_SYNC_EVERY = 30.0  # seconds
_JUMP = 0.5  # seconds by which this host's clock was set, after which it is synchronized at once


class ServerClock:
    """A clock that returns the server's time, in epoch seconds.

    It asks the server every 30 seconds, and goes by this host's clock in between.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._offset = 0.0  # seconds: the server's time less this host's
        self._skew = (
            0.0  # seconds: this host's time less the monotonic clock's; changes when it is set
        )
        self._sync_at = float("-inf")

    def __call__(self) -> float:
        monotonic = time.monotonic()
        if monotonic >= self._sync_at or abs(time.time() - monotonic - self._skew) > _JUMP:
            self._synchronize()
        return time.time() + self._offset

    def _synchronize(self) -> None:
        before = time.time()
        self._skew = before - time.monotonic()
        self._sync_at = time.monotonic() + _SYNC_EVERY
        try:
            seconds, microseconds = self._server.execute("TIME")
        except BrokerError:
            return  # no worker may stop because of this: the last offset is near enough
        round_trip = time.time() - before
        self._offset = int(seconds) + int(microseconds) / 1e6 - before - round_trip / 2
