"""Replies of the scripts, as Returns at the head of each script explains them.

Those about periodic tasks are in `schedules.py`, those about tasks of another store in `moving.py`.
"""

from collections.abc import Callable
from typing import Any

from ...model.message import Attempt, Delivery, Input, Receipt, Record
from ...states import Phase
from .packing import unpack_message

ReadGroup = Callable[[str], list[Any]]
"""Reads the inputs from the members of a group that is too large for one script."""

_ATTEMPT_SIZE = 5  # values of an attempt, see add_attempt in scripts/tasks.lua


def delivery_of(reply: list[Any], read_group: ReadGroup = lambda group: []) -> Delivery:
    """Return a delivery, from `delivery_of` in scripts/claiming.lua."""
    id, token, message, details = reply
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
        inputs_of(inputs, read_group),
    )


def record_of(id: str, reply: list[bytes] | None) -> Record | None:
    """Return a record, from fetch.lua."""
    if reply is None:
        return None
    fields = fields_of(reply)
    get = fields.get
    return Record(
        message=unpack_message(id, fields[b"message"]),
        phase=Phase(int(fields[b"phase"])),
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
    return [
        Attempt(
            number,
            moment(started),
            moment(ended),
            _text(worker or None),
            outcome.decode(),
            _text(error or None),
        )
        for number, (started, ended, worker, outcome, error) in enumerate(values, 1)
    ]


def inputs_of(reply: list[Any] | None, read_group: ReadGroup) -> Any:
    """Return an `Input`, or for a group a list of them, from scripts/claiming.lua."""
    if reply is None:
        return None
    if reply[0] == b"pages":
        return read_group(reply[1].decode())
    if reply[0] == b"group":
        _, members = reply
        return [inputs_of(each, read_group) for each in members]
    phase, serializer, result, traceback, *failed = reply
    found = Input(phase, _text(serializer), result, _text(traceback))
    if not failed:
        return found
    blame, id, message = failed
    return found._replace(blame=_text(blame), message=tuple(unpack_message(id.decode(), message)))


def fields_of(reply: list[bytes]) -> dict[bytes, bytes]:
    """Return the hash whose fields and values are in `reply` by turns."""
    return dict(zip(reply[::2], reply[1::2], strict=True))


def moment(data: bytes | None) -> float | None:
    """Return a time in epoch seconds; None for an absent one."""
    return float(data) if data else None


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()
