"""Between the values of the port and the rows of the table."""

from collections.abc import Iterator
from itertools import count
from random import getrandbits
from typing import Any

from ...model.graph import Place
from ...model.message import Delivery, Message, Receipt, Record
from ...model.outcome import Settlement
from ...states import Phase

Row = tuple[Any, ...]

new = tuple.__new__


# `sqlite3` binds what is exactly an int, a float, a text or a bytearray three times as quickly as
# all else, for which it looks for an adapter first: 0.2 us for each None, bytes, boolean and enum.
# So the rows of what nearly all tasks are have none of these.


def is_plain(message: Message) -> bool:
    """Whether it is ready at once, and has nothing that is seldom set."""
    return message.eta is None and message.expires is None and message.options is None


def plain_row(message: Message, now: float, token: int) -> Row:
    """The values of `enqueue_plain`."""
    id, task, payload, serializer, queue, priority, _, _, retries, late, ignores, tracks, _ = (
        message
    )
    call = (id, task, bytearray(payload), serializer, queue, priority, retries)
    return (*call, +late, +ignores, +tracks, now, token)


def task_row(message: Message, now: float, token: int) -> Row:
    """The values of `enqueue`."""
    return (*message, first_phase(message, now), now, token)


def first_phase(message: Message, now: float) -> Phase:
    """Where a task starts."""
    return Phase.READY if message.eta is None or message.eta <= now else Phase.SCHEDULED


def delivery_of(row: Row) -> Delivery:
    """A row of `claim`: the message, the receipt, and the rest of the delivery but its inputs."""
    # `__new__` of a tuple takes what it is given: half the time of the named one, which counts
    # here more than anywhere else.
    message, receipt = new(Message, row[:13]), new(Receipt, row[13:15])
    return new(Delivery, (message, receipt, *row[15:], None))


def tokens() -> Iterator[int]:
    """Where the tokens of new tasks begin: anywhere, and so far apart that two tasks of one worker
    never have the same, however often they are claimed."""
    return count(getrandbits(48), 1024)


def placed_row(message: Message, place: Place, token: int, now: float) -> Row:
    """The values of `enqueue_placed`."""
    id, task, payload, *call, late, ignores, tracks, options = message
    phase = first_phase(message, now) if place.waits is None else Phase.WAITING
    tied = place.followed or place.barrier or place.group is not None
    sent = (id, task, bytearray(payload), *call, +late, +ignores, +tracks, options)
    after = (place.waits, +place.barrier, place.on_failure, +place.takes)
    inside = (place.group, place.position, place.delay)
    return (*sent, int(phase), now, token, +tied, *after, *inside)


def record_of(row: Row) -> Record:
    """A row of `fetch`: the message, then the rest of the record."""
    fields = (*row[14:27], bool(row[27]), *row[28:])
    return Record._make((Message._make(row[:13]), Phase(row[13]), *fields))


def is_plain_end(each: Settlement) -> bool:
    """Whether there is no traceback and no state of its own, as for what succeeds."""
    return each.traceback is None and each.reported is None


def plain_final_row(each: Settlement) -> Row:
    """The values of `finish_plain`."""
    result = each.result and bytearray(each.result)
    key, token = each.receipt
    ended = (int(each.phase), result, each.result_serializer, each.lost, each.at, each.keep_until)
    return (*ended, key, token)


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
        message.task,
        *each.receipt,
    )
