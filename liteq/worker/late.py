"""What a worker got of runs whose claims it had lost: kept as attempts of their tasks."""

from ..brokers.base import Broker
from ..brokers.running import LateEnd
from ..exceptions import BrokerError
from ..model.outcome import Settlement
from ..states import Phase
from ..support.printable import last_line, one_line
from .task_log import logger


class LateEnds:
    """The ends that came too late, of the worker with the number `worker`."""

    worker = 0  # until it is registered

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def keep(self, id: str, settlement: Settlement) -> None:
        """Keep the end of a task whose claim was lost; what has become of the task stays."""
        if settlement.phase is Phase.RUNNING:
            logger.warning("claim lost; step dropped: task %s", id)
            return
        what = what_came(settlement)
        logger.warning(
            "claim lost; result kept as an attempt: task %s: %s", id, one_line(last_line(what))
        )
        end = LateEnd(settlement.receipt, id, settlement.at, what)
        try:
            self._broker.keep_late(self.worker, [end])
        except BrokerError as exc:
            logger.warning("what came late of the task %s is not kept: %s", id, exc)


def what_came(settlement: Settlement) -> str:
    """Return in words, or as a traceback, what a settlement says."""
    from ..serializers.preview import preview, preview_error  # seldom needed

    data = settlement.result, settlement.result_serializer
    match settlement.phase:
        case Phase.SUCCEEDED:
            value = preview(*data)
            return "it succeeded" if value is None else f"it succeeded: {value}"
        case Phase.CANCELLED | Phase.EXPIRED:
            return "it had been revoked"
    if settlement.traceback:
        return settlement.traceback
    return preview_error(*data) or f"it was to run again ({settlement.why or 'retry'})"
