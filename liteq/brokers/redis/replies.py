"""Replies of the scripts, as Returns at the head of each script explains them.

Those to a claim are in `deliveries.py`, those about periodic tasks in `schedules.py`, those about
tasks of another store in `moving.py`.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from ...model.checks import UNREADABLE
from ...model.graph import ALONE, Place
from ...model.message import Attempt, Receipt, Record
from ...states import Phase
from ..base import QueueCount
from ..stored import phase_of, unreadable_record
from .packing import unpack_message
from .signing import Given

_ATTEMPT_SIZE = 5  # values of an attempt, see add_attempt in scripts/tasks.lua


class Stored(NamedTuple):
    """A task as it is stored: not verified."""

    record: Record
    place: Place
    given: Given | None = None  # arguments that it was given since it was sent


def receipts_of(reply: Sequence[bytes]) -> list[Receipt]:
    """Return receipts, from ids and tokens by turns."""
    pairs = zip(texts_of(reply[::2]), reply[1::2], strict=False)
    return [Receipt(id, int(token)) for id, token in pairs if token.isdigit()]


def stored_or_error(id: str, reply: list[bytes] | None) -> Stored | None:
    """Return a task, from fetch.lua; None for an unknown one.

    In place of a record that cannot be read it has one that says so.
    """
    if reply is None:
        return None
    try:
        return stored_of(id, reply)
    except UNREADABLE as exc:
        return Stored(unreadable_record(id, exc), ALONE)


def stored_of(id: str, reply: list[bytes]) -> Stored:
    """Return a task, from fetch.lua. Raises one of UNREADABLE."""
    fields = fields_of(reply)
    record = _record(id, fields)
    place = Place(
        waits=record.waits,
        barrier=record.barrier,
        on_failure=record.on_failure,
        takes=b"takes" in fields,
        group=record.group,
        position=record.position,
        followed=b"tied" in fields,
        delay=float(fields[b"delay"]) if b"delay" in fields else None,
    )
    names = (b"given", b"given_id", b"given_group", b"given_position")
    given = given_of(*map(fields.get, names)) if b"given" in fields else None
    return Stored(record, place, given)


def given_of(
    data: bytes | None, id: bytes | None, group: bytes | None, position: bytes | None
) -> Given | None:
    """Return the arguments that a task was given; None for none. Raises one of UNREADABLE."""
    if data is None or id is None:
        return None
    place = Place(group=read_text(group), position=int(position or 0))
    return Given(unpack_message(id.decode(), data), place)


def _record(id: str, fields: dict[bytes, bytes]) -> Record:
    get = fields.get
    message = unpack_message(id, fields[b"message"])
    if b"unique" in fields:  # a later call may have changed these
        eta, expires = moment(get(b"eta")), moment(get(b"expires"))
        message = message._replace(eta=eta, expires=expires)
    return Record(
        message=message,
        phase=phase_of(int(fields[b"phase"])),
        token=int(get(b"token", 0)),
        lost=int(get(b"lost", 0)),
        worker=text_of(get(b"worker_name") or b"") or None,
        created=float(fields[b"created"]),
        started=moment(get(b"started")),
        finished=moment(get(b"finished")),
        keep_until=moment(get(b"keep")),
        result=get(b"result"),
        result_serializer=read_text(get(b"serializer")),
        traceback=read_text(get(b"traceback")),
        reported=read_text(get(b"reported")),
        woken_by=read_text(get(b"woken_by")),
        waits=read_text(get(b"waits")),
        barrier=b"barrier" in fields,
        group=read_text(get(b"group")),
        position=int(get(b"position", 0)),
        on_failure=int(get(b"on_failure", 0)),
        seq=int(get(b"seq", 0)),
        event=read_text(get(b"event")) if int(fields[b"phase"]) < Phase.READY else None,
    )


def attempts_of(reply: list[bytes]) -> list[Attempt]:
    """Return attempts, from attempts.lua."""
    starts = range(0, len(reply), _ATTEMPT_SIZE)
    values = (reply[start : start + _ATTEMPT_SIZE] for start in starts)
    found = []
    for number, (started, ended, worker, outcome, error) in enumerate(values, 1):
        with suppress(ValueError):  # one that cannot be read is left out
            name, text = read_text(worker or None), read_text(error or None)
            times = moment(started), moment(ended)
            found.append(Attempt(number, *times, name, outcome.decode(), text))
    return found


def counts_of(reply: list[bytes] | dict[bytes, bytes]) -> list[QueueCount]:
    """Return how many tasks there are, from the hash `counts`; a cluster's client has it as one."""
    fields = reply if isinstance(reply, dict) else fields_of(reply)
    counts = []
    for field, tasks in fields.items():
        with suppress(ValueError):  # another program, or a newer version, may have more
            phase, _, queue = field.decode().partition(":")
            counts.append(QueueCount(queue, Phase(int(phase)), int(tasks)))
    return sorted(counts)


def text_of(data: bytes) -> str:
    """Return what is only shown or looked up as text, even if it is none."""
    return data.decode(errors="backslashreplace")


def texts_of(replies: Sequence[bytes]) -> list[str]:
    """Return ids or names, even those that are no text."""
    return list(map(text_of, replies))


def read_text(data: bytes | None) -> str | None:
    """Return what has to be text; None for an absent one. Raises ValueError."""
    return None if data is None else data.decode()


def fields_of(reply: list[bytes]) -> dict[bytes, bytes]:
    """Return the hash whose fields and values are in `reply` by turns."""
    return dict(zip(reply[::2], reply[1::2], strict=True))


def moment(data: bytes | None) -> float | None:
    """Return a time in epoch seconds; None for an absent one."""
    return float(data) if data else None
