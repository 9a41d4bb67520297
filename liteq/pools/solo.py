"""The solo pool: one slot, in the supervisor's own thread.

For debugging, and for places without threads and processes: while a task runs, the supervisor does
nothing else.
"""

from collections.abc import Sequence
from selectors import BaseSelector

from ..exceptions import LiteqError
from ..model.message import Delivery
from ..support.coroutines import close_loop
from .base import Pool, PoolEvents, RunnerSpec, Slot, StateUpdate
from .output import Outputs
from .scoreboard import OwnScoreboard


class SoloPool(Pool):
    """A pool that runs deliveries in `submit`."""

    in_loop = True

    def __init__(self, size: int, spec: RunnerSpec) -> None:
        super().__init__(1, spec)
        self._events = PoolEvents()
        self._outputs = Outputs()
        self._scoreboard = OwnScoreboard(1)
        self.scoreboard: str | None = self._scoreboard.name

    def start(self, selector: BaseSelector) -> None:
        self._run = self.spec.make_here(self._send_state, self._outputs)
        self.slots[0].up = True

    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._scoreboard.write(0, 1, delivery.token)
            sent = delivery if self.outgoing is None else self.outgoing(delivery)
            self._events.finished.append((delivery, self._run(sent), 0))
            if self._outputs.open:
                self._events.outputs += self._outputs.take()

    def collect(self) -> PoolEvents:
        events, self._events = self._events, PoolEvents()
        return events

    def resize(self, size: int) -> None:
        raise LiteqError("the pool solo has one slot: it runs tasks in the worker's own thread")

    def tend(self) -> float | None:
        return 0.0 if self._events else None  # events of this thread do not wake the selector

    def close(self) -> None:
        self._scoreboard.remove()
        close_loop()

    def _send_state(self, id: str, state: str, meta: bytes, serializer: str) -> None:
        self._events.updates.append(StateUpdate(id, state, meta, serializer))
