"""The shutdown of a supervisor: warm, cold, and what happens when the grace period is over."""

import time
from collections.abc import Sequence

from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from ..pools import Pool
from ..support.printable import one_line
from .task_log import logger

_TERM_GRACE = 5.0  # seconds between SIGTERM and the end for what outlasts the grace of a warm stop

Finished = tuple[Delivery, Outcome, int]


class Shutdown:
    """The state of a shutdown: whether one was requested, and how long running tasks still get.

    `grace`: seconds that running tasks get at a warm shutdown; None: all the time they need.
    """

    def __init__(self, pool: Pool, grace: float | None) -> None:
        self._pool = pool
        self._grace = grace
        self._since: float | None = None  # `time.monotonic`
        self._terminating = False  # SIGTERM was sent to what still runs
        self._why = ""
        self._announced: bool | None = None  # whether as a cold one
        self.cold: bool = False

    @property
    def requested(self) -> bool:
        """Return whether the supervisor is to stop."""
        return self._since is not None

    def request(self, *, cold: bool, why: str = "") -> None:
        """Ask for a shutdown; a `cold` one does not wait. Safe in a signal handler.

        `why`: the signal that asked for it.
        """
        self._why = why
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

    def announce(self) -> None:
        """Log once that it stops, and what it waits for; again if it then stops at once."""
        if self._since is None or self._announced is self.cold:
            return
        self._announced = self.cold
        running = [found for slot in self._pool.slots if (found := self._pool.running(slot))]
        why = f" ({self._why})" if self._why else ""
        if not running:
            logger.info("stopping%s: no task runs", why)
        elif self.cold:
            logger.info("stopping%s at once: %d running tasks are ended", why, len(running))
        else:
            time_left = "" if self._grace is None else f" for at most {self._grace:g} s"
            names = ", ".join(f"{each.task}[{each.id}]" for each, _ in running)
            logger.info("stopping%s: waiting%s for %s", why, time_left, one_line(names))

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
            for delivery, outcome, _ in finished
            if outcome.kind is Kind.FAILED and delivery.acks_late
        ]
