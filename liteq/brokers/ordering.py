"""The verbs of the port by which workers are told what to do, and answer."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ..exceptions import InvalidTaskError
from ..model.checks import NUMBER, TEXT, WHOLE, Shape
from ..model.order import LONGEST_ARGUMENTS, Answer, Order

KEEP_ANSWERS = 60.0
"""Seconds that an answer is kept once its order has expired."""

MOST = 100
"""Orders that a worker reads at once."""

_ORDER = Shape(call=TEXT, worker=WHOLE, name=TEXT, arguments=TEXT, sent=NUMBER, expires=NUMBER)


class Ordering(ABC):
    """The part of a broker that has these verbs."""

    @abstractmethod
    def order(self, orders: Sequence[Order]) -> None:
        """Store orders, and notify the listeners of their workers.

        A worker that has an order of the same call already keeps that one.
        """

    @abstractmethod
    def orders(self, worker: int) -> list[Order]:
        """Return orders that `worker` has not answered, and that have not expired, oldest first.

        One that cannot be read, or is not genuine, is answered by this verb, with an error, and
        left out. Of very many only the first are returned.
        """

    @abstractmethod
    def answer(self, answers: Sequence[Answer]) -> None:
        """Store answers, and notify the listener for results of who expects the id of their call.

        Of an order that has been answered, or is not known any more, nothing is changed.
        """

    @abstractmethod
    def answers(self, call: str) -> list[Answer]:
        """Return the answers to the orders of a call, in the order of their workers' numbers.

        They are kept for a minute after their orders have expired, or longer. One that cannot be
        read, or is not genuine, is returned with an error as its text.
        """

    @abstractmethod
    def oldest(self, queues: Sequence[str]) -> float | None:
        """Return since when the oldest READY task of `queues` may run; None if there is none.

        That is when it was sent, or its eta if that is later. Epoch seconds.
        """


def checked_order(order: Order) -> Order:
    """Return an order that was read. Raises InvalidTaskError for what liteq did not write."""
    _ORDER.check(order)
    if len(order.arguments) > LONGEST_ARGUMENTS:
        raise InvalidTaskError(
            f"its arguments have {len(order.arguments)} characters, and may have "
            f"{LONGEST_ARGUMENTS}"
        )
    return order


def refusal(order: Order, why: object) -> Answer:
    """Return the answer to an order that is not obeyed."""
    import json  # takes 2 ms, and who only sends needs none

    return Answer(order.call, order.worker, json.dumps({"error": str(why)}))
