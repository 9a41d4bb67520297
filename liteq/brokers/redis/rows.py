"""Between the values of the port and what Redis keeps.

A message is kept as one text that no script reads: a JSON array of what it was sent with, a line
break, and its payload. What scripts need of it stands in fields of its own beside it.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ...model.graph import Graph, Place
from ...model.message import Attempt, Delivery, Input, Message, Receipt, Record
from ...model.outcome import Settlement
from ...states import Phase

Arguments = list[str | bytes | int | float]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


_USUAL = tuple(Message._field_defaults.values())


@lru_cache(4096, typed=True)
def _head(*fields: Any) -> bytes:
    """Without the last fields that are as usual: with up to 64 bytes in each field, Redis keeps a
    task in half the memory."""
    size = len(fields)
    while size > len(fields) - len(_USUAL) and fields[size - 1] == _USUAL[size - 1 - len(fields)]:
        size -= 1
    return _encode(fields[:size]).encode()


@lru_cache(4096)
def _fields(head: bytes) -> tuple[Any, ...]:
    return tuple(json.loads(head))


def packed(message: Message) -> bytes:
    """All of `message` but its id."""
    _, task, payload, *rest = message
    return b"%b\n%b" % (_head(task, *rest), payload)


def unpacked(id: str, data: bytes) -> Message:
    """The message that `packed` wrote."""
    head, _, payload = data.partition(b"\n")
    task, *rest = _fields(head)
    return Message(id, task, payload, *rest)


# to Redis


def message_args(message: Message, extra: Arguments | None = None) -> Arguments:
    """A message as `insert` reads it; `extra`: more fields and values."""
    more: Arguments = extra or []
    if message.priority:
        more += ("priority", message.priority)
    if message.eta is not None:
        more += ("eta", message.eta)
    if not message.acks_late:
        more += ("once", 1)
    return [message.id, message.queue, packed(message), len(more), *more]


def messages_args(messages: Iterable[Message]) -> Arguments:
    """A batch: how many, and each of them."""
    args: Arguments = [0]
    n = 0
    for message in messages:
        n += 1
        args += message_args(message)
    args[0] = n
    return args


def graph_args(graph: Graph) -> Arguments:
    """A workflow: its messages in their places, and its groups."""
    args: Arguments = [len(graph.messages)]
    for message, place in zip(graph.messages, graph.places, strict=True):
        args += message_args(message, _place_fields(place))
    args.append(len(graph.groups))
    for group in graph.groups:
        args += (group.id, group.outer or "", group.position, int(group.forgiving))
    return args


def _place_fields(place: Place) -> Arguments:
    fields: Arguments = []
    if place.waits is not None:
        fields += ("waits", place.waits)
    if place.group is not None:
        fields += ("group", place.group, "position", place.position)
    if place.followed or place.barrier or place.group is not None:
        fields += ("tied", 1)
    for name, value in (
        ("barrier", place.barrier),
        ("on_failure", place.on_failure),
        ("takes", place.takes),
        ("delay", place.delay),
    ):
        if value:
            fields += (name, value if name == "delay" else int(value))
    return fields


def settlement_args(each: Settlement, *, again: bool) -> Arguments:
    """A settlement as settle.lua reads it; `again`: it was sent before, and no answer came."""
    fields: Arguments = []
    for name, value in (
        ("result", each.result),
        ("serializer", each.result_serializer),
        ("traceback", each.traceback),
        ("reported", each.reported),
        ("lost", each.lost or None),
        ("finished", None if each.retry else each.at),
    ):
        if value is not None:
            fields += (name, value)
    args: Arguments = [each.receipt.key, each.receipt.token, int(each.phase), int(again)]
    args += (len(fields), *fields)
    if each.retry is None:
        return [*args, _or_empty(each.keep_until)]
    return [*args, *_retry_args(each, each.retry)]


def _retry_args(each: Settlement, message: Message) -> Arguments:
    eta = _or_empty(message.eta)
    args: Arguments = [packed(message), message.queue, message.priority, eta, each.at, each.why]
    args += (each.traceback or "", int(each.graph is not None))
    if each.graph is not None:
        place = each.place or Place()
        args += graph_args(each.graph)
        args += (place.waits or "", int(place.barrier), int(place.takes))
    return args


def field_args(**fields: str | bytes | float | bool | None) -> Arguments:
    """Names and values of those that are not None."""
    args: Arguments = []
    for name, value in fields.items():
        if value is not None:
            args += (name, int(value) if isinstance(value, bool) else value)
    return args


def _or_empty(moment: float | None) -> float | str:
    return "" if moment is None else moment


# from Redis


def delivery_of(row: list[Any]) -> Delivery:
    """What claim.lua answers for a task."""
    id, token, message, more = row
    name = id.decode()
    receipt = Receipt(name, int(token))
    if more is None:
        return Delivery(unpacked(name, message), receipt)
    lost, reported, attempts, tied, woken_by, taken = more
    return Delivery(
        unpacked(name, message),
        receipt,
        int(lost or 0),
        _text(reported),
        int(attempts or 0),
        bool(tied),
        _text(woken_by),
        _inputs(taken),
    )


def _inputs(taken: list[Any] | None) -> Any:
    if taken is None:
        return None
    if taken[0] == b"group":
        return [_inputs(each) for each in taken[1]]
    phase, serializer, result, traceback, *failure = taken
    found = Input(phase, _text(serializer), result, _text(traceback))
    if not failure:
        return found
    blame, id, message = failure
    whole = tuple(unpacked(id.decode(), message))
    return found._replace(blame=_text(blame), message=whole)


def record_of(id: str, flat: list[bytes] | None) -> Record | None:
    """What fetch.lua answers for a task."""
    if flat is None:
        return None
    found = dict(zip(flat[::2], flat[1::2], strict=True))
    take = found.get
    return Record(
        message=unpacked(id, found[b"message"]),
        phase=Phase(int(found[b"phase"])),
        token=int(take(b"token", 0)),
        lost=int(take(b"lost", 0)),
        worker=_text(take(b"worker_name") or None),
        created=float(found[b"created"]),
        started=_moment(take(b"started")),
        finished=_moment(take(b"finished")),
        keep_until=_moment(take(b"keep")),
        result=take(b"result"),
        result_serializer=_text(take(b"serializer")),
        traceback=_text(take(b"traceback")),
        reported=_text(take(b"reported")),
        woken_by=_text(take(b"woken_by")),
        waits=_text(take(b"waits")),
        barrier=b"barrier" in found,
        group=_text(take(b"group")),
        position=int(take(b"position", 0)),
        on_failure=int(take(b"on_failure", 0)),
    )


def attempts_of(flat: list[bytes]) -> list[Attempt]:
    """What attempts.lua answers."""
    rows = (flat[at : at + 5] for at in range(0, len(flat), 5))
    return [
        Attempt(
            number,
            _moment(started or None),
            _moment(ended or None),
            _text(worker or None),
            outcome.decode(),
            _text(error or None),
        )
        for number, (started, ended, worker, outcome, error) in enumerate(rows, 1)
    ]


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()


def _moment(data: bytes | None) -> float | None:
    return None if data is None else float(data)
