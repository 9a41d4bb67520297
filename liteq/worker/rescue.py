"""The rescue of tasks that were held by workers which died."""

from collections.abc import Sequence

from ..brokers.base import Broker, Rescue
from ..brokers.stored import parse_info
from ..model.message import Delivery, Record
from ..model.outcome import Outcome, Policy
from ..pools import scoreboard
from ..serializers import Serializer
from .decide import Trace, decide_rescue
from .definitions import at_most_once_by
from .outcomes import lost_outcome


def rescue(broker: Broker, policy: Policy, serializer: Serializer) -> list[Record]:
    """Take back what dead workers of `broker` held; return those tasks as they are now.

    The scoreboard that a dead worker leaves behind tells which of its claims had started.
    `serializer` encodes the errors. Raises BrokerError when the store fails; the rescue can be
    tried again.
    """
    read: set[str] = set()

    def lost(delivery: Delivery, rules: Policy) -> Outcome:
        return lost_outcome(delivery, rules, serializer, "its worker died while it ran")

    def decide(info: str, held: Sequence[Delivery], restarted: bool) -> Rescue:
        known = parse_info(info)
        held = at_most_once_by(known, held)
        name, slots = known.get("board"), known.get("slots", known.get("concurrency"))
        started = None
        if isinstance(name, str):
            read.add(name)
            started = scoreboard.started_tokens(name)
        plausible = isinstance(slots, int) and slots > 0
        trace = Trace(started, slots if plausible else None, restarted)
        return decide_rescue(held, trace, lost, policy, broker.clock())

    rescued = broker.rescue(decide)
    for name in read:
        scoreboard.remove(name)  # only now: until the rescue is written it may be needed again
    return rescued
