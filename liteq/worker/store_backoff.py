"""Backoff from a store that fails, so that a worker waits for it instead of ending."""

import time
from collections.abc import Callable

from ..exceptions import BrokerCorrupt, BrokerError, BrokerTooNew
from .task_log import logger

_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds before a store that failed is tried again


class StoreBackoff:
    """The pauses between attempts to use a store that fails."""

    def __init__(self) -> None:
        self._failures = 0
        self.retry_at: float = 0.0  # `time.monotonic`

    @property
    def active(self) -> bool:
        """Return whether the store has just failed, so that it is left alone for a while."""
        return time.monotonic() < self.retry_at

    def failed(self, exc: BrokerError) -> None:
        """Note a failure. Raises `exc` again when no waiting helps: what is written may be lost."""
        if isinstance(exc, BrokerCorrupt | BrokerTooNew):
            raise exc
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self.retry_at = time.monotonic() + pause
        if self._failures == 0:
            logger.error("the store fails, trying again: %s", exc)
        self._failures += 1

    def succeeded(self) -> None:
        """Note that the store works."""
        if self._failures:
            logger.warning("the store works again")
        self._failures, self.retry_at = 0, 0.0

    def attempt(self, work: Callable[[], object]) -> bool:
        """Run `work`, which uses the store; return whether the store did not fail."""
        try:
            work()
        except BrokerError as exc:
            self.failed(exc)
            return False
        self.succeeded()
        return True
