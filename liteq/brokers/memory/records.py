"""Records: how they begin and change, and small questions about them. Pure functions."""

from math import inf

from ...model.message import Message, Record
from ...model.outcome import Settlement
from ...states import Phase, phase_for_eta


def new_record(message: Message, now: float) -> Record:
    """Return the record of a message that is stored now."""
    return Record(
        message=message,
        phase=phase_for_eta(message.eta, now),
        token=0,
        lost=0,
        worker=None,
        created=now,
        started=None,
        finished=None,
        keep_until=None,
        result=None,
        result_serializer=None,
        traceback=None,
        reported=None,
    )


def settled(record: Record, settlement: Settlement) -> Record:
    """Return the record of a running task after its settlement."""
    event = settlement.event if settlement.phase < Phase.READY else None
    record = record._replace(phase=settlement.phase, lost=settlement.lost, event=event)
    if not settlement.keeps_report:
        record = record._replace(
            result=settlement.result,
            result_serializer=settlement.result_serializer,
            traceback=settlement.traceback,
            reported=settlement.reported,
        )
    if settlement.retry is not None:
        return record._replace(message=settlement.retry, started=None)
    return record._replace(finished=settlement.at, keep_until=settlement.keep_until)


def finished(record: Record, phase: Phase, now: float, keep: float | None) -> Record:
    """Return the record of a task that ends now and is kept for `keep` seconds; None: for ever."""
    keep_until = None if keep is None else now + keep
    record = record._replace(limit=None, since=None, event=None)
    return record._replace(phase=phase, finished=now, keep_until=keep_until)


def revived(record: Record) -> Record:
    """Return the record of a task that is to run as if it had never been tried."""
    return record._replace(
        message=record.message._replace(retries=0, eta=None, expires=None),
        phase=Phase.READY,
        lost=0,
        started=None,
        finished=None,
        keep_until=None,
        result=None,
        result_serializer=None,
        traceback=None,
        reported=None,
    )


def eta_of(record: Record) -> float:
    """Return the time before which the task is not to run; infinite if it has none."""
    return inf if record.message.eta is None else record.message.eta


def kept_until(record: Record) -> float:
    """Return the time from which on the task may be swept; infinite if it has none."""
    return inf if record.keep_until is None else record.keep_until
