"""Replies of the scripts, as Returns at the head of each script explains them.

Those about periodic tasks are in `schedules.py`, those about tasks of another store in `moving.py`.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from ...exceptions import InvalidTaskError, SecurityError
from ...model.graph import ALONE, Place
from ...model.message import Attempt, Delivery, Input, Receipt, Record
from ...states import Phase
from ..base import QueueCount
from ..stored import UNREADABLE, phase_of, unreadable_record
from .packing import unpack_message
from .signing import End, Signing

ReadGroup = Callable[[str], list[Any]]
"""Returns the inputs from a group that is too large for one script, as a reply has them."""

_ATTEMPT_SIZE = 5  # values of an attempt, see add_attempt in scripts/tasks.lua
_GROUPS = (b"group", b"pages")  # what heads the inputs from a group
_INPUT_SIZE = 8  # values of an input, see input_from in scripts/claiming.lua


class Stored(NamedTuple):
    """A task as it is stored: not verified."""

    record: Record
    place: Place


def receipt_of(reply: list[Any]) -> Receipt:
    """Return the receipt of a delivery, even of one that cannot be read."""
    id, token, *_ = reply
    try:
        return Receipt(id.decode(), int(token))
    except ValueError:  # the id stays as it is, because the server knows the task by it
        return Receipt(id, int(token) if token.isdigit() else 0)


def receipts_of(reply: Sequence[bytes]) -> list[Receipt]:
    """Return receipts, from ids and tokens by turns."""
    pairs = zip(texts_of(reply[::2]), reply[1::2], strict=False)
    return [Receipt(id, int(token)) for id, token in pairs if token.isdigit()]


def delivery_of(
    reply: list[Any], signing: Signing, read_group: ReadGroup = lambda group: []
) -> Delivery:
    """Return a delivery, from `delivery_of` in scripts/claiming.lua.

    Raises InvalidTaskError when what is stored of it cannot be read, SecurityError when its
    message, or something that it takes, is not genuine.
    """
    try:
        return _delivery_of(signing, read_group, *reply)
    except UNREADABLE as exc:
        raise InvalidTaskError(f"what is stored of it cannot be read: {exc}") from exc


def _delivery_of(
    signing: Signing,
    read_group: ReadGroup,
    id: bytes,
    token: bytes,
    data: bytes | None,
    details: Any,
) -> Delivery:
    if data is None:
        raise InvalidTaskError("its fields, or what it takes from other tasks, cannot be read")
    name = id.decode()
    receipt, message = Receipt(name, int(token)), unpack_message(name, data)
    if details is None:
        return Delivery(signing.verify_message(message), receipt)
    lost, reported, attempts, tied, woken_by, inputs, values = details
    place = None if values is None else _place(values)
    return Delivery(
        signing.verify_message(message, place or ALONE),
        receipt,
        int(lost or 0),
        _text(reported),
        int(attempts or 0),
        bool(tied),
        _text(woken_by),
        _taken(inputs, place or ALONE, signing, read_group),
        place,
    )


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
    return Stored(record, place)


def _record(id: str, fields: dict[bytes, bytes]) -> Record:
    get = fields.get
    return Record(
        message=unpack_message(id, fields[b"message"]),
        phase=phase_of(int(fields[b"phase"])),
        token=int(get(b"token", 0)),
        lost=int(get(b"lost", 0)),
        worker=_text(get(b"worker_name") or None),
        created=float(fields[b"created"]),
        started=moment(get(b"started")),
        finished=moment(get(b"finished")),
        keep_until=moment(get(b"keep")),
        result=get(b"result"),
        result_serializer=_text(get(b"serializer")),
        traceback=_text(get(b"traceback")),
        reported=_text(get(b"reported")),
        woken_by=_text(get(b"woken_by")),
        waits=_text(get(b"waits")),
        barrier=b"barrier" in fields,
        group=_text(get(b"group")),
        position=int(get(b"position", 0)),
        on_failure=int(get(b"on_failure", 0)),
    )


def attempts_of(reply: list[bytes]) -> list[Attempt]:
    """Return attempts, from attempts.lua."""
    starts = range(0, len(reply), _ATTEMPT_SIZE)
    values = (reply[start : start + _ATTEMPT_SIZE] for start in starts)
    found = []
    for number, (started, ended, worker, outcome, error) in enumerate(values, 1):
        with suppress(ValueError):  # one that cannot be read is left out
            name, text = _text(worker or None), _text(error or None)
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


def texts_of(replies: Sequence[bytes]) -> list[str]:
    """Return ids or names, even those that are no text."""
    return [reply.decode(errors="backslashreplace") for reply in replies]


def fields_of(reply: list[bytes]) -> dict[bytes, bytes]:
    """Return the hash whose fields and values are in `reply` by turns."""
    return dict(zip(reply[::2], reply[1::2], strict=True))


def moment(data: bytes | None) -> float | None:
    """Return a time in epoch seconds; None for an absent one."""
    return float(data) if data else None


def _place(values: list[bytes | None]) -> Place:
    """Return a place, from `place_of` in scripts/claiming.lua."""
    waits, barrier, on_failure, takes, group, position = values
    after = (_text(waits), bool(barrier), int(on_failure or 0), bool(takes))
    return Place(*after, _text(group), int(position or 0))


# What a task takes from others, from `inputs_of` in scripts/claiming.lua. It has to be that of the
# tasks which the place of the task names, and these are in the signatures of their results.


def _taken(reply: list[Any] | None, place: Place, signing: Signing, read_group: ReadGroup) -> Any:
    """Return what a task at `place` takes: an `Input`, for a group a list of them, or None."""
    if reply is None:
        signing.require(
            not (place.takes or place.on_failure), f"what it takes from {place.waits} is missing"
        )
        return None
    if reply[0] in _GROUPS:
        return _taken_from_group(reply, signing, read_group)
    taken, end = _input(reply[:_INPUT_SIZE], signing)
    if not place.on_failure:
        signing.require(end.id == place.waits, f"its input is the result of {end.id}")
        return taken
    blame, data, id, values = reply[_INPUT_SIZE:]
    signing.require(_text(id) == place.waits, f"it is an errback of {place.waits}")
    message = signing.verify_message(unpack_message(id.decode(), data), _place(values))
    return taken._replace(blame=_text(blame), message=tuple(message))


def _taken_from_group(reply: list[Any], signing: Signing, read_group: ReadGroup) -> list[Any]:
    kind, id, *inputs = reply
    members = read_group(id.decode()) if kind == b"pages" else inputs[0]
    found: list[Any] = []
    last = -1
    for member in members:
        if member is None:
            found.append(None)
        elif member[0] in _GROUPS:
            found.append(_taken_from_group(member, signing, read_group))
        else:
            taken, end = _input(member, signing)
            if end.phase is not Phase.SKIPPED:  # else it is the error of a task that is elsewhere
                fits = end.group == _text(id) and end.position >= last
                signing.require(fits, f"{end.id} has no such place in the group that it waits for")
                last = end.position
            found.append(taken)
    return found


def _input(reply: list[Any], signing: Signing) -> tuple[Input, End]:
    """Return the end of a task that has ended, and what its result belongs to."""
    phase, serializer, result, traceback, id, reported, group, position = reply
    whose = (id.decode(), Phase(phase), _text(reported), _text(serializer))
    end = End(*whose, _text(group), int(position or 0))
    absent = result is None and end.phase is Phase.SUCCEEDED
    signing.require(not absent, f"the result of {end.id} is missing")
    try:
        result = signing.verify_result(result, end)
    except SecurityError as exc:
        raise SecurityError(f"of the result of {end.id}, which it takes: {exc}") from exc
    if end.kind == "report":
        result = None  # it was revoked after that, and has no result
    return Input(phase, end.serializer, result, _text(traceback)), end


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()
