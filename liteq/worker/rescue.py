"""The rescue of tasks that were held by workers which died."""

from collections.abc import Sequence

from ..brokers.base import Broker, Rescue
from ..brokers.stored import parse_info
from ..model.message import Delivery, Record
from ..model.outcome import Outcome, Policy
from ..pools import scoreboard
from ..serializers import Serializer
from .decide import decide_rescue
from .lost import lost_outcome


def rescue(broker: Broker, policy: Policy, serializer: Serializer) -> list[Record]:
    """Take back what dead workers of `broker` held; return those tasks as they are now.

    The scoreboard that a dead worker leaves behind tells which of its claims had started. It is
    gone after a restart of the machine: then all are charged. `serializer` encodes the errors.
    Raises BrokerError when the store fails; the rescue can be tried again.
    """
    read: set[str] = set()

    def lost(delivery: Delivery) -> Outcome:
        return lost_outcome(delivery, policy, serializer, "its worker died while it ran")

    def decide(info: str, held: Sequence[Delivery]) -> Rescue:
        path = parse_info(info).get("board")
        started = None
        if isinstance(path, str):
            read.add(path)
            started = scoreboard.started_tokens(path)
        return decide_rescue(held, started, lost, policy, broker.clock())

    rescued = broker.rescue(decide)
    for path in read:
        scoreboard.remove(path)  # only now: until the rescue is written it may be needed again
    return rescued
