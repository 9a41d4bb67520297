"""Backoff from a store that fails, so that a worker or scheduler waits for it instead of ending."""

import re
import time
from collections.abc import Callable
from logging import Logger
from typing import TypeVar

from ..exceptions import (
    BrokerCorrupt,
    BrokerError,
    BrokerLocked,
    BrokerTooNew,
    BrokerUnreachable,
)
from ..support.wakeup import Wakeup

T = TypeVar("T")

_MOST_LINES = 10  # faults of one outage that are logged
_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds before a store that failed is tried again


class StoreBackoff:
    """The pauses between attempts to use a store that fails. Outages are logged to `logger`.

    An outage ends when every `use` that failed has succeeded: a store whose disk is full can still
    be read.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._failures = 0
        self._failing: set[str] = set()
        self._logged: set[str] = set()  # the faults of this outage
        self.retry_at: float = 0.0  # `time.monotonic`

    @property
    def active(self) -> bool:
        """Return whether the store has just failed, so that it is left alone for a while."""
        return time.monotonic() < self.retry_at

    @property
    def pause(self) -> float:
        """Return the seconds for which the store is left alone."""
        return max(self.retry_at - time.monotonic(), 0.0)

    def failed(self, use: str, exc: BrokerError) -> None:
        """Note a failure of `use`, such as "write".

        Raises `exc` again when no waiting helps: what is written may be lost.
        """
        if isinstance(exc, BrokerCorrupt | BrokerTooNew):
            raise exc
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self.retry_at = time.monotonic() + pause
        fault = _without_numbers(exc)
        if fault not in self._logged and len(self._logged) < _MOST_LINES:
            self._logged.add(fault)
            self._logger.error("the store fails, trying again: %s", exc)
        self._failures += 1
        self._failing.add(use)

    def succeeded(self, use: str) -> None:
        """Note that `use` of the store works."""
        self._failures, self.retry_at = 0, 0.0
        if use in self._failing:
            self._failing.remove(use)
            if not self._failing:
                self._logged.clear()
                self._logger.warning("the store works again")

    def attempt(self, use: str, work: Callable[[], object]) -> bool:
        """Run `work`, which uses the store; return whether the store did not fail."""
        try:
            work()
        except BrokerError as exc:
            self.failed(use, exc)
            return False
        self.succeeded(use)
        return True

    def insist(self, work: Callable[[], T], wakeup: Wakeup, stopped: Callable[[], bool]) -> T:
        """Return what `work` returns; run it again while the store is locked or away.

        When `wakeup` is set it looks whether it is `stopped`: then it raises the last error.
        """
        while True:
            try:
                value = work()
            except (BrokerLocked, BrokerUnreachable) as exc:
                if stopped():
                    raise
                self.failed("start", exc)
                wakeup.wait(self.pause)
            else:
                self.succeeded("start")
                return value


def _without_numbers(exc: BrokerError) -> str:
    """Return what an error is, without pids, ports and times, which differ each time."""
    return re.sub(r"\d+", "0", f"{type(exc).__name__}: {exc}")
