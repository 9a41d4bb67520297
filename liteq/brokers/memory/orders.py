"""Orders to workers, and their answers, in the tables."""

from collections.abc import Sequence

from ...exceptions import InvalidTaskError
from ...model.order import Answer, Order
from ...states import Phase
from ..ordering import KEEP_ANSWERS, MOST, checked_order, refusal
from .listeners import notify
from .store import MemoryStore
from .tables import Tables


class MemoryOrders(MemoryStore):
    """The part of the broker that has the verbs of orders."""

    def order(self, orders: Sequence[Order]) -> None:
        with self._transaction() as tables:
            for order in orders:
                tables.orders.setdefault((order.call, order.worker), order)
            for listener in self._work_listeners:
                listener.note_order()
            notify(self._work_listeners)

    def orders(self, worker: int) -> list[Order]:
        with self._transaction() as tables:
            now = self.clock()
            found = [
                order
                for key, order in tables.orders.items()
                if order.worker == worker and order.expires > now and key not in tables.answers
            ]
            good = []
            for order in sorted(found, key=lambda each: each.sent)[:MOST]:
                try:
                    good.append(checked_order(order))
                except InvalidTaskError as exc:
                    self.answer([refusal(order, exc)])
            return good

    def answer(self, answers: Sequence[Answer]) -> None:
        with self._transaction() as tables:
            for answer in answers:
                key = answer.call, answer.worker
                if key in tables.orders:
                    tables.answers.setdefault(key, answer)
                    notify(each for each in self._result_listeners if each.expects(answer.call))

    def answers(self, call: str) -> list[Answer]:
        with self._lock:
            found = [each for each in self._tables.answers.values() if each.call == call]
        return sorted(found, key=lambda each: each.worker)

    def oldest(self, queues: Sequence[str]) -> float | None:
        with self._lock:
            ready = self._tables.in_phases(Phase.READY)
            return min(
                (
                    max(record.created, record.message.eta or record.created)
                    for record in ready
                    if record.message.queue in queues
                ),
                default=None,
            )


def drop_old_orders(tables: Tables, now: float) -> None:
    """Delete orders that have expired, with their answers."""
    for key, order in list(tables.orders.items()):
        if order.expires + KEEP_ANSWERS <= now:
            del tables.orders[key]
            tables.answers.pop(key, None)
