"""What tasks are sent to in a transaction that neither the store nor an outbox takes part in."""

from collections.abc import Sequence

from ..brokers.base import NO_ANSWERS, Answers, Broker
from ..exceptions import TransactionError
from ..model.graph import Graph
from ..model.message import Message
from .calls import Call


class Deferred:
    """The memory of this process, until the transaction is committed.

    It does for a store that only this process has: if it is killed in between, that is gone too.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._calls: list[Call] = []

    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> Answers:
        """Keep `messages`."""
        self._calls += Call.of_later(messages)
        return NO_ANSWERS

    def enqueue_or_replace(self, message: Message, sent: float, *, durable: bool = False) -> bool:
        """Keep `message`; return True, as nobody knows yet whether a task of its id is kept."""
        self._calls += Call.of_later((message,), sent)
        return True

    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> Answers:
        """Keep a workflow."""
        self._calls.append(Call.of_graph(graph))
        return NO_ANSWERS

    def send(self) -> None:
        """Send what was kept."""
        calls, self._calls = self._calls, []
        for call in calls:
            call.make(self._broker)


class Refusal:
    """What takes nothing, because nothing could be sent in this transaction."""

    def __init__(self, why: str) -> None:
        self._why = why

    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> Answers:
        """Raise TransactionError."""
        raise TransactionError(self._why)

    def enqueue_or_replace(self, message: Message, sent: float, *, durable: bool = False) -> bool:
        """Raise TransactionError."""
        raise TransactionError(self._why)

    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> Answers:
        """Raise TransactionError."""
        raise TransactionError(self._why)
