"""Between the values of the port and the rows of the table."""

from typing import Any

from ...message import Delivery, Message, Receipt, Record
from ...outcome import Settlement
from ...states import Phase

Row = tuple[Any, ...]


def first_phase(message: Message, now: float) -> Phase:
    """Where a task starts."""
    return Phase.READY if message.eta is None or message.eta <= now else Phase.SCHEDULED


def delivery_of(row: Row) -> Delivery:
    """A row of `claim`: five columns of the claim, then the message."""
    return Delivery(Message._make(row[5:]), Receipt(row[0], row[1]), *row[2:5])


def record_of(row: Row) -> Record:
    """A row of `fetch`: the message, then the rest of the record."""
    return Record(Message._make(row[:13]), Phase(row[13]), *row[14:])


def final_row(each: Settlement) -> Row:
    """The values of `finish`."""
    return (
        each.phase,
        each.result,
        each.result_serializer,
        each.traceback,
        each.reported,
        each.lost,
        each.at,
        each.keep_until,
        *each.receipt,
    )


def attempt_row(each: Settlement) -> Row:
    """The values of `remember`."""
    return (each.at, each.why, each.traceback, *each.receipt)


def again_row(each: Settlement) -> Row:
    """The values of `again`."""
    assert each.retry is not None
    message = each.retry
    return (
        each.phase,
        each.result,
        each.result_serializer,
        each.traceback,
        each.reported,
        each.lost,
        message.payload,
        message.serializer,
        message.queue,
        message.priority,
        message.eta,
        message.expires,
        message.retries,
        message.options,
        *each.receipt,
    )
