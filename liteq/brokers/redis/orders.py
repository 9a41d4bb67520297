"""Orders to workers, and their answers.

An order is a JSON list of its fields, but for its call and its worker; it and its answer are
signed, where the store is.
"""

import json
from collections.abc import Sequence

from ...exceptions import InvalidTaskError, LiteqError
from ...model.checks import UNREADABLE
from ...model.order import LONGEST_ARGUMENTS, Answer, Order
from ..ordering import KEEP_ANSWERS, MOST, checked_order, refusal
from .replies import text_of
from .store import RedisStore

_MOST_KEPT = 86_400.0  # seconds
_LONGEST = 2 * LONGEST_ARGUMENTS  # bytes of an order


class RedisOrders(RedisStore):
    """The part of the broker that has the verbs of orders."""

    def order(self, orders: Sequence[Order]) -> None:
        args: list[str | bytes | int] = []
        for order in orders:
            data = json.dumps(order[2:]).encode()
            kept = min(max(order.expires - order.sent, 0.0), _MOST_KEPT) + KEEP_ANSWERS
            signed = self._signing.sign_control(data, "order", order.call, order.worker)
            args += [order.worker, order.call, signed, int(1000 * kept)]
        if args:
            self._run("order", *args)

    def orders(self, worker: int) -> list[Order]:
        reply = self._run("orders", worker, MOST, _LONGEST)
        good: list[Order] = []
        others: list[str | bytes | int] = []  # as answer.lua takes them
        for call, data in zip(reply[::2], reply[1::2], strict=True):
            try:
                order = self._order_of(call.decode(), worker, data)
            except (*UNREADABLE, LiteqError) as exc:
                answer = self._signed(refusal_of(text_of(call), worker, exc))
                others += [worker, call, answer]
            else:
                if order.expires > self.clock():
                    good.append(order)
                else:
                    others += [worker, call, b""]
        if others:
            self._run("answer", *others)
        return sorted(good, key=lambda each: each.sent)

    def answer(self, answers: Sequence[Answer]) -> None:
        args: list[str | bytes | int] = []
        for each in answers:
            args += [each.worker, each.call, self._signed(each)]
        if args:
            self._run("answer", *args)

    def answers(self, call: str) -> list[Answer]:
        reply = self._run("answers", call)
        found = [self._answer_of(call, *pair) for pair in zip(reply[::2], reply[1::2], strict=True)]
        return sorted(found, key=lambda each: each.worker)

    def oldest(self, queues: Sequence[str]) -> float | None:
        found = self._run("oldest", *queues)
        return None if found is None else float(found)

    def _order_of(self, call: str, worker: int, data: bytes) -> Order:
        """Return an order that was read. Raises one of UNREADABLE, or SecurityError."""
        if not data:
            raise InvalidTaskError(f"it has more than {_LONGEST} bytes")
        fields = json.loads(self._signing.verify_control(data, "order", call, worker))
        return checked_order(Order(call, worker, *fields))

    def _signed(self, answer: Answer) -> bytes:
        data, call, worker = answer.text.encode(), answer.call, answer.worker
        return self._signing.sign_control(data, "answer", call, worker)

    def _answer_of(self, call: str, worker: bytes, data: bytes) -> Answer:
        """Return an answer that was read; any program may have written it."""
        number = int(worker) if worker.isdigit() else 0
        try:
            text = self._signing.verify_control(data, "answer", call, number).decode()
        except (*UNREADABLE, LiteqError) as exc:
            text = refusal_of(call, number, exc).text
        return Answer(call, number, text)


def refusal_of(call: str, worker: int, why: Exception) -> Answer:
    """Return the answer to an order that cannot be read, or is not genuine."""
    order = Order(call, worker, "", "", 0.0, 0.0)
    return refusal(order, f"the order, or its answer, cannot be read: {why}")
