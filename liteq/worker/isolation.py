"""Isolation: a task that would be set aside for its next loss runs alone in its worker.

While it waits for the pool to be empty nothing is handed out or claimed, so that it gets its turn;
what else is held goes back to the store, for other workers.
"""

from ..model.message import Delivery
from ..model.outcome import Policy
from ..pools import Pool
from .decide import runs_alone


class Isolation:
    """The task of one worker that runs alone in `pool`, or waits to."""

    def __init__(self, pool: Pool, policy: Policy) -> None:
        self._slots = pool.slots
        self._policy = policy
        self._waiting: list[Delivery] = []  # at most one
        self._running = False

    @property
    def active(self) -> bool:
        """Return whether nothing else may be handed out."""
        if self._running and not self._busy():
            self._running = False
        return self._running or bool(self._waiting)

    def take(self) -> list[Delivery]:
        """Return the task that waits to run alone, if any, to be handed out or given back."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def admit(self, deliveries: list[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
        """Return which of `deliveries` may be handed out now, and which have to go back."""
        if self.active:
            return [], deliveries
        policy = self._policy
        alone = next((each for each in deliveries if each.lost and runs_alone(each, policy)), None)
        if alone is None:
            return deliveries, []
        others = [each for each in deliveries if each is not alone]
        if self._busy():
            self._waiting = [alone]
            return [], others
        self._running = True
        return [alone], others

    def _busy(self) -> bool:
        return any(slot.holding for slot in self._slots)
