"""Replies of the scripts, as Returns at the head of each script explains them.

Those about periodic tasks are in `schedules.py`, those about tasks of another store in `moving.py`.
"""

from contextlib import suppress
from typing import Any

from ...exceptions import InvalidTaskError
from ...model.message import Attempt, Delivery, Input, Receipt, Record
from ..stored import phase_of, unreadable_record
from .packing import unpack_message

UNREADABLE = (InvalidTaskError, AttributeError, LookupError, TypeError, ValueError)
"""What is raised where the server sends what no liteq has stored."""

_ATTEMPT_SIZE = 5  # values of an attempt, see add_attempt in scripts/tasks.lua


def delivery_of(reply: list[Any]) -> Delivery:
    """Return a delivery, from `delivery_of` in scripts/claiming.lua.

    Raises InvalidTaskError when what is stored of it cannot be read.
    """
    try:
        return _delivery_of(*reply)
    except UNREADABLE as exc:
        raise InvalidTaskError(f"what is stored of it cannot be read: {exc}") from exc


def receipt_of(reply: list[Any]) -> Receipt:
    """Return the receipt in a delivery that cannot be read."""
    id, token, *_ = reply
    try:
        return Receipt(id.decode(), int(token))
    except ValueError:  # the id stays as it is, because the server knows the task by it
        return Receipt(id, int(token) if token.isdigit() else 0)


def _delivery_of(id: bytes, token: bytes, message: bytes | None, details: Any) -> Delivery:
    if message is None:
        raise InvalidTaskError("its fields, or what it takes from other tasks, cannot be read")
    name = id.decode()
    receipt = Receipt(name, int(token))
    if details is None:
        return Delivery(unpack_message(name, message), receipt)
    lost, reported, attempts, tied, woken_by, inputs = details
    return Delivery(
        unpack_message(name, message),
        receipt,
        int(lost or 0),
        _text(reported),
        int(attempts or 0),
        bool(tied),
        _text(woken_by),
        _inputs(inputs),
    )


def record_of(id: str, reply: list[bytes] | None) -> Record | None:
    """Return a record, from fetch.lua; for one that cannot be read, a record that says so."""
    if reply is None:
        return None
    try:
        return _record_of(id, fields_of(reply))
    except UNREADABLE as exc:
        return unreadable_record(id, exc)


def _record_of(id: str, fields: dict[bytes, bytes]) -> Record:
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


def fields_of(reply: list[bytes]) -> dict[bytes, bytes]:
    """Return the hash whose fields and values are in `reply` by turns."""
    return dict(zip(reply[::2], reply[1::2], strict=True))


def moment(data: bytes | None) -> float | None:
    """Return a time in epoch seconds; None for an absent one."""
    return float(data) if data else None


def _inputs(reply: list[Any] | None) -> Any:
    """Return an `Input`, or for a group a list of them, from scripts/claiming.lua."""
    if reply is None:
        return None
    if reply[0] == b"group":
        _, members = reply
        return [_inputs(each) for each in members]
    phase, serializer, result, traceback, *failed = reply
    found = Input(phase, _text(serializer), result, _text(traceback))
    if not failed:
        return found
    blame, id, message = failed
    return found._replace(blame=_text(blame), message=tuple(unpack_message(id.decode(), message)))


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()
