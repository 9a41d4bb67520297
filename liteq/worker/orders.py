"""Orders to this worker: read when it is notified of them, obeyed, and answered."""

import json
from collections.abc import Callable

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker
from ..model.order import Answer
from .obeying import Obeying


class Orders:
    """The orders to one worker.

    `describe`: returns what the store shows of the worker, which is written before the answer to
    an order that has changed something. `obeying`: runs the commands.
    """

    def __init__(
        self,
        broker: Broker,
        store: StoreBackoff,
        obeying: Obeying,
        describe: Callable[[], dict[str, object]],
    ) -> None:
        self._broker = broker
        self._store = store
        self._obeying = obeying
        self._describe = describe
        self._look = False
        self._answers: list[Answer] = []  # still to be written
        self._seen: dict[str, float] = {}  # calls whose orders were obeyed: when these expire
        self.worker: int = 0  # its number

    def notified(self) -> None:
        """Look soon: there may be orders."""
        self._look = True

    @property
    def due(self) -> bool:
        """Return whether there is something to read or to write."""
        return self._look or bool(self._answers) or bool(self._obeying.answers)

    def serve(self) -> None:
        """Read the orders, obey them, and write the answers; what fails is put off."""
        if self._look and self._store.attempt("orders", self._read):
            self._look = False
        self._answers += self._obeying.take_answers()
        if self._answers and not self._store.active and self._store.attempt("answers", self._write):
            self._answers = []

    def finish(self) -> None:
        """Write the answers that are ready: the worker is about to leave."""
        self._answers += self._obeying.take_answers()
        if self._answers:
            self._write()

    def _read(self) -> None:
        now = self._broker.clock()
        self._seen = {call: expires for call, expires in self._seen.items() if expires > now}
        for order in self._broker.orders(self.worker):
            # One that was obeyed may be there still: its answer is not written, or not ready.
            if order.call not in self._seen:
                self._seen[order.call] = order.expires
                self._obeying.begin(order)

    def _write(self) -> None:
        if self._obeying.changed:
            self._broker.beat(self.worker, json.dumps(self._describe()))
            self._obeying.changed = False
        self._broker.answer(self._answers)
