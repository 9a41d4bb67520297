"""The shutdown of a supervisor: warm, cold, and what happens when the grace period is over."""

import time
from collections.abc import Sequence

from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from ..pools import Pool
from .task_log import logger

_TERM_GRACE = 5.0  # seconds between SIGTERM and the end for what outlasts the grace of a warm stop

Finished = tuple[Delivery, Outcome]


class Shutdown:
    """The state of a shutdown: whether one was requested, and how long running tasks still get.

    `grace`: seconds that running tasks get at a warm shutdown; None: all the time they need.
    """

    def __init__(self, pool: Pool, grace: float | None) -> None:
        self._pool = pool
        self._grace = grace
        self._since: float | None = None  # `time.monotonic`
        self._terminating = False  # SIGTERM was sent to what still runs
        self.cold: bool = False

    @property
    def requested(self) -> bool:
        """Return whether the supervisor is to stop."""
        return self._since is not None

    def request(self, *, cold: bool) -> None:
        """Ask for a shutdown; a `cold` one does not wait. Safe in a signal handler."""
        self.cold = self.cold or cold
        self._since = self._since or time.monotonic()

    def complete(self, *, busy: bool) -> bool:
        """Return whether the supervisor can leave. `busy`: tasks run or are not settled yet."""
        if self._since is None:
            return False
        if self.cold or not busy:
            return True
        if self._grace is None:
            return False
        extra = _TERM_GRACE if self._pool.kills else 0.0
        return time.monotonic() - self._since > self._grace + extra

    def enforce_grace(self) -> None:
        """Send SIGTERM to what still runs once the grace period is over."""
        if self._since is None or self._grace is None or self._terminating:
            return
        if self._pool.kills and time.monotonic() - self._since > self._grace:
            self._terminating = True
            logger.warning(
                "tasks that still run after %g s are terminated and go back to their queue",
                self._grace,
            )
            self._pool.terminate()

    def interrupted(self, finished: Sequence[Finished]) -> list[Delivery]:
        """Return the tasks of `finished` that failed because of our SIGTERM and may run again.

        It reaches the programs that tasks have started as well, so their failure is no failure of
        the task.
        """
        if not self._terminating:
            return []
        return [
            delivery
            for delivery, outcome in finished
            if outcome.kind is Kind.FAILED and delivery.message.acks_late
        ]
