"""Between the values of the port and the rows of the table."""

from collections.abc import Iterator
from itertools import count
from random import getrandbits
from typing import Any, NamedTuple

from ...model.graph import Place
from ...model.message import Delivery, Message, Receipt, Record
from ...model.outcome import Settlement
from ...states import Phase
from ..base import WorkerInfo
from ..owners import Owner, is_dead

Row = tuple[Any, ...]

# `__new__` of a tuple takes half the time of that of a named tuple, which has to sort its
# arguments first. Only for the rows of a claim, where it counts more than anywhere else.
_new = tuple.__new__

# Where the parts of a row stand, by the fragments `message`, `delivery` and `record`.
_MESSAGE = slice(0, 13)
_RECEIPT = slice(13, 15)
_REST_OF_DELIVERY = slice(15, None)
_PHASE = 13
_TOKEN_TO_WAITS = slice(14, 27)
_BARRIER = 27
_GROUP_TO_ON_FAILURE = slice(28, None)


class WorkerRow(NamedTuple):
    """A row of `workers`: the fields of a `WorkerInfo`, and the process."""

    id: int
    name: str
    pid: int
    host: str
    started: float
    beat: float
    stopped: float | None
    info: str
    owner: str  # see owners.py

    @property
    def public(self) -> WorkerInfo:
        """Return what the port tells of the worker."""
        return WorkerInfo._make(self[:-1])

    def is_dead(self) -> bool | None:
        """Return whether its process is proven to be gone; None where that cannot be told."""
        return is_dead(Owner.parse(self.owner))


# `sqlite3` binds what is exactly an int, a float, a text or a bytearray three times as quickly as
# all else, for which it looks for an adapter first: 0.2 us for each None, bytes, boolean and enum.
# So the rows of what nearly all tasks are have none of these.


def is_minimal(message: Message) -> bool:
    """Whether it is ready at once, and has nothing that is seldom set."""
    return message.eta is None and message.expires is None and message.options is None


def minimal_row(message: Message, now: float, token: int) -> Row:
    """The values of `enqueue_minimal`."""
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
    """Return the delivery of a row of `claimable`, without its inputs."""
    message, receipt = _new(Message, row[_MESSAGE]), _new(Receipt, row[_RECEIPT])
    return _new(Delivery, (message, receipt, *row[_REST_OF_DELIVERY], None))


def initial_tokens() -> Iterator[int]:
    """Where the tokens of new tasks begin: anywhere, and so far apart that two tasks of one worker
    never have the same, however often they are claimed."""
    return count(getrandbits(48), 1024)


def workflow_row(message: Message, place: Place, token: int, now: float) -> Row:
    """The values of `enqueue_in_workflow`."""
    id, task, payload, *call, late, ignores, tracks, options = message
    phase = first_phase(message, now) if place.waits is None else Phase.WAITING
    tied = place.followed or place.barrier or place.group is not None
    sent = (id, task, bytearray(payload), *call, +late, +ignores, +tracks, options)
    after = (place.waits, +place.barrier, place.on_failure, +place.takes)
    inside = (place.group, place.position, place.delay)
    return (*sent, int(phase), now, token, +tied, *after, *inside)


def record_of(row: Row) -> Record:
    """Return the record of a row of `fetch`."""
    rest = (*row[_TOKEN_TO_WAITS], bool(row[_BARRIER]), *row[_GROUP_TO_ON_FAILURE])
    return Record._make((Message._make(row[_MESSAGE]), Phase(row[_PHASE]), *rest))


def is_minimal_end(each: Settlement) -> bool:
    """Whether there is no traceback and no state of its own, as for what succeeds."""
    return each.traceback is None and each.reported is None


def minimal_final_row(each: Settlement) -> Row:
    """The values of `finish_minimal`."""
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


def retry_row(each: Settlement) -> Row:
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
