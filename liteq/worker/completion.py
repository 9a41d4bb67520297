"""The end of a task that is written in a transaction of its own, in the process that runs it."""

from collections.abc import Callable
from typing import Any

from ..app import LiteQ
from ..brokers.base import Broker
from ..brokers.guests import Host
from ..exceptions import BrokerError, ClaimLost
from ..execution.context import Context
from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from ..states import Phase
from .decide import decide, policy_of

Encode = Callable[[Any, Any], tuple[bytes | None, str | None]]
"""Takes the context of a run and its value; returns the value encoded, and the serializer."""


class TaskCompletion:
    """Writes the success of tasks that run here, each in the transaction that is open then."""

    def __init__(self, app: LiteQ, encode: Encode) -> None:
        self._broker = app.broker
        self._policy = policy_of(app.conf)
        self._encode = encode

    def holds(self, context: Context) -> bool:
        """Return whether this worker still has the task."""
        delivery = context.delivery
        assert delivery is not None
        (record,) = self._broker.fetch([delivery.message.id])
        return (
            record is not None
            and record.phase is Phase.RUNNING
            and record.token == delivery.receipt.token
        )

    def succeed(self, context: Context, value: Any) -> None:
        """Write that the task has succeeded with `value`, and what follows from that.

        Raises ClaimLost when another worker has the task by now.
        """
        delivery = context.delivery
        assert delivery is not None
        outcome = Outcome(Kind.SUCCEEDED, *self._encode(context, value))
        settlement = decide(delivery, outcome, self._policy, self._broker.clock())
        if self._broker.settle([settlement]).refused:
            raise ClaimLost(f"{context.task}[{context.id}] is another worker's by now")


def has_succeeded(broker: Broker, delivery: Delivery) -> bool:
    """Return whether a run whose process has died had written its success before.

    False where the store does not answer: it refuses what is written of such a run anyway.
    """
    if not isinstance(broker, Host):  # tasks cannot write that themselves
        return False
    try:
        (record,) = broker.fetch([delivery.message.id])
    except BrokerError:
        return False
    return (
        record is not None
        and record.phase is Phase.SUCCEEDED
        and record.token == delivery.receipt.token
    )
