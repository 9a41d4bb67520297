"""Orders to workers, and their answers, in their table."""

import json
from collections.abc import Sequence
from contextlib import suppress
from sqlite3 import Connection

from ...exceptions import BrokerError
from ...model.checks import UNREADABLE, shown
from ...model.order import LONGEST_ARGUMENTS, Answer, Order
from ..ordering import KEEP_ANSWERS, MOST, checked_order, refusal
from .changes import Changes
from .notifying import SHORT_TIMEOUT
from .session import Session
from .sockets import AN_ORDER
from .statements import load
from .store import SqliteStore

_SQL = load("orders.sql")


class SqliteOrders(SqliteStore):
    """The part of the broker that has the verbs of orders."""

    def order(self, orders: Sequence[Order]) -> None:
        self._write(self._client_writes, lambda db: db.executemany(_SQL["order"], orders))
        _notify_workers(self._session(), [each.worker for each in orders])

    def orders(self, worker: int) -> list[Order]:
        values = {"worker": worker, "now": self.clock(), "most": MOST, "longest": LONGEST_ARGUMENTS}
        good, refused = [], []
        for row in self._session().read(_SQL["orders"], values, SHORT_TIMEOUT):
            order = Order._make(row)
            try:
                good.append(checked_order(order))
            except UNREADABLE as exc:
                refused.append(refusal(order, f"the order cannot be read: {exc}"))
        if refused:
            self.answer(refused)
        return good

    def answer(self, answers: Sequence[Answer]) -> None:
        now = self.clock()

        def work(db: Connection, changes: Changes) -> None:
            for call, worker, text in answers:
                if db.execute(_SQL["answer"], (now, text, call, worker)).rowcount:
                    changes.ids.append(str(call))

        if answers:
            self._write_and_notify(self._worker_writes, work)

    def answers(self, call: str) -> list[Answer]:
        rows = self._session().read(_SQL["answers"], (call,), SHORT_TIMEOUT)
        return [_answer_of(*row) for row in rows]

    def oldest(self, queues: Sequence[str]) -> float | None:
        values = {"queues": json.dumps(list(queues))}
        ((since,),) = self._session().read(_SQL["oldest"], values, SHORT_TIMEOUT)
        return float(since) if isinstance(since, float | int) else None


def sweep_orders(db: Connection, now: float) -> None:
    """Delete orders that have expired, with their answers."""
    db.execute(_SQL["sweep_orders"], (now - KEEP_ANSWERS,))


def _notify_workers(session: Session, workers: Sequence[int]) -> None:
    with suppress(BrokerError):  # what is to be told of is stored all the same
        values = {"workers": json.dumps(list(workers))}
        rows = session.read(_SQL["listeners_of"], values, SHORT_TIMEOUT)
        session.notify_addresses([address for (address,) in rows], AN_ORDER)


def _answer_of(call: str, worker: object, text: object) -> Answer:
    """Return an answer; any program may have written it."""
    if type(worker) is not int:
        worker = 0
    if isinstance(text, str):
        return Answer(call, worker, text)
    return Answer(call, worker, json.dumps({"error": f"its answer is {shown(text)}, not text"}))
