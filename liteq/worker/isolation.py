"""Isolation: a task that would be set aside for its next loss runs alone in its worker.

While it waits for the pool to be empty nothing is handed out or claimed, so that it gets its turn;
what else is held goes back to the store, for other workers.
"""

from ..model.message import Delivery
from ..model.outcome import Policy
from ..pools import Pool
from .decide import runs_alone


class Isolation:
    """The task of one worker that runs alone in `pool`, or waits to.

    It runs in a process of its own, too: what an earlier task has left behind in one may be what
    kills it.
    """

    def __init__(self, pool: Pool, policy: Policy) -> None:
        self._pool = pool
        self._policy = policy
        self._waiting: list[Delivery] = []  # at most one
        self._running = False
        self._fresh = False  # nothing has run in the pool since it was refreshed

    @property
    def active(self) -> bool:
        """Return whether nothing else may be handed out."""
        return bool(self._waiting) or (self._running and self._busy())

    def take(self) -> list[Delivery]:
        """Return the task that waits to run alone, if any, to be handed out or given back."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def admit(self, deliveries: list[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
        """Return which of `deliveries` may be handed out now, and which have to go back."""
        if self.active:
            return [], deliveries
        self._running = False
        policy = self._policy
        alone = next((each for each in deliveries if each.lost and runs_alone(each, policy)), None)
        fresh = self._fresh
        if deliveries:
            self._fresh = False
        if alone is None:
            return deliveries, []
        others = [each for each in deliveries if each is not alone]
        if self._busy():
            self._waiting = [alone]
            return [], others
        if not fresh:
            # Back to the store, which cancels it if it was revoked while it waited; it comes again.
            self._pool.refresh()
            self._fresh = True
            return [], deliveries
        self._running = True
        return [alone], others

    def _busy(self) -> bool:
        return self._pool.busy
