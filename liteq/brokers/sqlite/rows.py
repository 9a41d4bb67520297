"""Conversions between the values of the port and the rows of the tables."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple

from ...exceptions import InvalidTaskError
from ...model.checks import check_member, check_message, check_record
from ...model.graph import Place
from ...model.message import Delivery, Message, Receipt, Record
from ...model.outcome import Settlement
from ...states import Phase, phase_for_eta
from ...support.randomness import getrandbits
from ..base import QueueCount, WorkerInfo
from ..stored import RECEIPT, REST_OF_DELIVERY, phase_of, unreadable_record

Row = tuple[Any, ...]

# `__new__` of a tuple takes its values as they are, in half the time of a named tuple's own. Only
# for the rows of a claim, where it counts more than anywhere else.
_new = tuple.__new__


# Tasks, as they are read. The positions are those of the fragments `message`, `delivery` and
# `record` in statements.sql.

_MESSAGE = slice(0, 13)
_PRIORITY, _EXPIRES, _RETRIES, _OPTIONS = 5, 7, 8, 12
_RECEIPT = slice(13, 15)
_CLAIM_TOKEN, _LOST = 14, 15
_REST = slice(15, 20)
_GROUP, _POSITION = 20, 21

_PHASES = frozenset(map(int, Phase))
_PHASE = 13
_TOKEN_TO_WAITS = slice(14, 27)
_BARRIER = 27
_GROUP_TO_SEQ = slice(28, None)
_PLACE = slice(26, 31)


def receipt_of(row: Row) -> Receipt:
    """Return the receipt of a row of `claim`."""
    return _new(Receipt, row[_RECEIPT])


def group_in(row: Row) -> object:
    """Return what stands in a row of `claim` as the group that the task is a member of."""
    return row[_GROUP]


def delivery_of(row: Row, options_of_groups: Mapping[object, str | None]) -> Delivery:
    """Return the delivery of a row of `claim`, without inputs and place.

    `options_of_groups`: by the id of each group in the rows. Raises InvalidTaskError when one of
    the values is not as liteq writes it.
    """
    # These a supervisor computes with (0.1 us). A whole check takes 3 us, and what is wrong in
    # another field is found where the task is run, and is its failure.
    expires = row[_EXPIRES]
    numbers = type(row[_RETRIES]) is type(row[_LOST]) is int
    numbers = numbers and type(row[_PRIORITY]) is type(row[_CLAIM_TOKEN]) is int
    if not (numbers and row[_OPTIONS] is None and (expires is None or type(expires) is float)):
        check_message(_new(Message, row[_MESSAGE]))
        RECEIPT.check(row[_RECEIPT])
        REST_OF_DELIVERY.check(row[_REST])
    group = row[_GROUP]
    if group is None and row[_POSITION] is None:
        return _new(Delivery, row)
    member = None
    if group is not None:
        member = (group, row[_POSITION], options_of_groups[group])
        check_member(member)
    return _new(Delivery, (*row[:_GROUP], member, None, None))


def record_of(row: Row) -> Record:
    """Return the record of a row of `fetch`; of one that cannot be read, one that says so."""
    try:
        return read_record(row)
    except InvalidTaskError as exc:
        return unreadable_record(row[0] if isinstance(row[0], str) else ascii(row[0]), exc)


def phase_in(row: Row) -> object:
    """Return what stands in a row of `fetch` as its phase."""
    return row[_PHASE]


def read_record(row: Row) -> Record:
    """Return the record of a row of `fetch`. Raises InvalidTaskError when it cannot be read."""
    message, phase = _new(Message, row[_MESSAGE]), phase_of(row[_PHASE])
    rest = (*row[_TOKEN_TO_WAITS], bool(row[_BARRIER]), *row[_GROUP_TO_SEQ])
    record = Record._make((message, phase, *rest))
    check_record(record)
    return record


def place_of(row: Row) -> Place:
    """Return what a row of `fetch` says of its place in a workflow; it may be unreadable."""
    waits, barrier, group, position, on_failure = row[_PLACE]
    return Place(waits, bool(barrier), on_failure, group=group, position=position)


# Tasks, as they are sent.
#
# `sqlite3` binds what is exactly an int, a float, a str or a bytearray three times as quickly as
# all else, for which it looks for an adapter first: 0.2 us for each None, bytes, bool and enum.
# So the `minimal` rows, which are those of nearly all tasks, have none of these.


def is_minimal(message: Message) -> bool:
    """Return whether a message is ready at once and has no rarely set field."""
    return message.eta is None and message.expires is None and message.options is None


def minimal_row(message: Message, now: float, token: int) -> Row:
    """Return the values of `enqueue_minimal`."""
    id, task, payload, serializer, queue, priority, _, _, retries, late, ignores, tracks, _ = (
        message
    )
    call = (id, task, bytearray(payload), serializer, queue, priority, retries)
    return (*call, +late, +ignores, +tracks, now, token)


def task_row(message: Message, now: float, token: int) -> Row:
    """Return the values of `enqueue`."""
    return (*message, phase_for_eta(message.eta, now), now, token)


def workflow_row(message: Message, place: Place, token: int, now: float) -> Row:
    """Return the values of `enqueue_in_workflow`."""
    id, task, payload, *call, late, ignores, tracks, options = message
    phase = phase_for_eta(message.eta, now) if place.waits is None else Phase.WAITING
    sent = (id, task, bytearray(payload), *call, +late, +ignores, +tracks, options)
    after = (place.waits, +place.barrier, place.on_failure, +place.takes)
    inside = (place.group, place.position, place.delay)
    return (*sent, int(phase), now, token, +place.tied, *after, *inside)


def initial_tokens() -> Iterator[int]:
    """Yield the first tokens of new tasks.

    They begin at a random number, so that an old receipt does not fit a new task with the same
    `seq`; and are so far apart that two tasks of one worker never have the same token, however
    often they are claimed.
    """
    return count(getrandbits(48), 1024)


# Tasks, as they are settled.


def plain_end_rows(settlements: Iterable[Settlement]) -> tuple[list[Row], list[Settlement]]:
    """Return the values of `finish_plain` for tasks that end with nothing to say but a result, and
    from whose end nothing follows; and the settlements of all others."""
    rows, others = [], []
    for each in settlements:
        receipt, phase, at, result, serializer, error, kept, *rest = each
        retry, lost, reported, tied, _, _, _, _, steps, *_, output = rest
        plain = error is None and retry is None and reported is None and output is None
        if plain and not tied and steps == ():
            value = result and bytearray(result)
            rows.append((int(phase), value, serializer, lost, at, kept, *receipt))
        else:
            others.append(each)
    return rows, others


def end_row(settlement: Settlement) -> Row:
    """Return the values of `finish`."""
    each = settlement
    outcome = (each.phase, each.result, each.result_serializer, each.traceback, each.reported)
    return (*outcome, each.lost, each.at, each.keep_until, *each.receipt)


def retry_row(settlement: Settlement) -> Row:
    """Return the values of `retry`."""
    each, message = settlement, settlement.retry
    assert message is not None
    outcome = (each.phase, each.result, each.result_serializer, each.traceback, each.reported)
    _, *call = message  # its id stays
    return (*outcome, each.lost, *call, *each.receipt)


def suspend_row(settlement: Settlement) -> Row:
    """Return the values of `suspend`."""
    assert settlement.retry is not None
    _, *call = settlement.retry
    return (settlement.phase, settlement.lost, *call, *settlement.receipt)


def attempt_row(settlement: Settlement) -> Row:
    """Return the values of `remember`."""
    return (settlement.at, settlement.why, settlement.traceback, *settlement.receipt)


def counts_of(rows: Iterable[Row]) -> list[QueueCount]:
    """Return counts; of other phases, which a newer version or another program may have, none."""
    return [
        QueueCount(queue, Phase(phase), n)
        for queue, phase, n in rows
        if isinstance(queue, str) and phase in _PHASES
    ]


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
        """Return what the port says of the worker."""
        return WorkerInfo._make(self[:-1])
