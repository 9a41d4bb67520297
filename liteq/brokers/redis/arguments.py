"""Arguments of the scripts, as ARGV at the head of each script explains them.

Those about periodic tasks are in `schedules.py`, those about tasks of another store in `moving.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from ...model.graph import Graph, Group, Place
from ...model.message import Message
from ...model.outcome import Settlement
from ...model.step import Event, Step
from ...states import Phase
from ..base import Claim, Rescue
from .packing import pack_message

T = TypeVar("T")
Arguments = list[str | bytes | int | float]

PAGE = 500  # tasks that one script reads or changes


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield `values` in chunks for one script each, so that the server is never busy for long."""
    for start in range(0, len(values), PAGE):
        yield values[start : start + PAGE]


def message_args(message: Message, more: Arguments | None = None) -> Arguments:
    """Return a message; `more` are further fields and values. Read by sending.lua, singles.lua."""
    fields: Arguments = more or []
    if message.priority:
        fields += ("priority", message.priority)
    if message.eta is not None:
        fields += ("eta", message.eta)
    return [message.id, message.queue, pack_message(message), len(fields), *fields]


def messages_args(messages: Iterable[Message]) -> Arguments:
    """Return the number of messages, and these."""
    args: Arguments = [0]
    n = 0
    for message in messages:
        n += 1
        args += message_args(message)
    args[0] = n
    return args


def graph_args(graph: Graph) -> Arguments:
    """Return a workflow: its messages in their places, and its groups. Read by sending.lua."""
    args: Arguments = [len(graph.messages)]
    for message, place in zip(graph.messages, graph.places, strict=True):
        args += message_args(message, place_fields(place))
    args.append(len(graph.groups))
    for group in graph.groups:
        args += group_args(group)
    return args


def group_args(group: Group) -> Arguments:
    """Return a group. Read by sending.lua and unpack.lua."""
    outer, options = group.outer or "", group.options or ""
    return [group.id, outer, group.position, int(group.forgiving), options]


def claim_args(claim: Claim, last_token: int) -> Arguments:
    """Return a claim; `last_token` is the last one that has reached the worker.

    Read by claiming.lua.
    """
    limit = max(claim.limit, 0) if claim.queues else 0
    return [claim.worker, last_token, limit, *claim.queues]


def settlement_args(settlement: Settlement, *, again: bool) -> Arguments:
    """Return a settlement; `again`: it was sent before, and no reply came. Read by settling.lua."""
    id, token = settlement.receipt
    if settlement.phase is Phase.RUNNING:
        steps = step_args(settlement.steps)
        return [6 + len(steps), id, token, int(settlement.phase), int(again), 0, *steps, 0]
    fields: Arguments = []
    for name, value in (
        ("result", settlement.result),
        ("serializer", settlement.result_serializer),
        ("traceback", None if settlement.keeps_report else settlement.traceback),
        ("reported", settlement.reported),
        ("lost", settlement.lost or None),
        ("finished", None if settlement.retry else settlement.at),
    ):
        if value is not None:
            fields += (name, value)
    args: Arguments = [id, token, int(settlement.phase), int(again), len(fields), *fields]
    if settlement.retry is None:
        args.append(or_empty(settlement.keep_until))
    else:
        args += _next_attempt_args(settlement, settlement.retry)
    return [len(args), *args]


def rescue_args(tokens: Sequence[bytes], rescue: Rescue) -> Arguments:
    """Return the tokens of the claims that were read, and what becomes of these.

    Messages are written as they were read, and errors as text: this process may not have the key
    that their application signs with. Read by rescue.lua.
    """
    args: Arguments = [len(tokens), *tokens, len(rescue.released)]
    for receipt in rescue.released:
        args += receipt
    args.append(len(rescue.settlements))
    for settlement in rescue.settlements:
        unsigned = settlement._replace(result=None, result_serializer=None)
        args += settlement_args(unsigned, again=False)
    return args


def revive_args(messages: Iterable[Message]) -> Arguments:
    """Return tasks as they were sent, to be run as if never tried. Read by revive.lua."""
    args: Arguments = []
    for message in messages:
        args += (message.id, pack_message(message._replace(retries=0, eta=None, expires=None)))
    return args


def event_args(event: Event) -> Arguments:
    """Return an event. Read by emit.lua."""
    return [
        event.key,
        event.id,
        event.value,
        event.serializer,
        event.at,
        or_empty(event.keep_until),
    ]


def step_args(steps: Iterable[Step] | None) -> Arguments:
    """Return the number of steps, and these; -1 for None. Read by scripts/events.lua."""
    if steps is None:
        return [-1]
    args: Arguments = [0]
    for n, step in enumerate(steps, 1):
        _, kind, at, until, value, serializer, failed = step
        fields = field_args(
            kind=str(kind),
            at=at,
            until=until,
            value=value,
            serializer=serializer,
            failed=failed or None,
        )
        args[0] = n
        args += (step.name, len(fields), *fields)
    return args


def field_args(**fields: str | bytes | float | bool | None) -> Arguments:
    """Return the names and values of the fields that are not None."""
    args: Arguments = []
    for name, value in fields.items():
        if value is not None:
            args += (name, int(value) if isinstance(value, bool) else value)
    return args


def or_empty(value: float | str | None) -> float | str:
    """Return `value`, or what stands for None among arguments."""
    return "" if value is None else value


def place_fields(place: Place) -> Arguments:
    """Return the fields and values of a task that say where it stands in its workflow."""
    in_group = place.group is not None
    return field_args(
        waits=place.waits,
        group=place.group,
        position=place.position if in_group else None,
        tied=place.tied or None,
        barrier=place.barrier or None,
        on_failure=place.on_failure or None,
        takes=place.takes or None,
        delay=place.delay or None,
    )


def _next_attempt_args(settlement: Settlement, message: Message) -> Arguments:
    args: Arguments = [pack_message(message), message.queue, message.priority]
    args += (or_empty(message.eta), settlement.at, settlement.why, settlement.traceback or "")
    args += step_args(settlement.steps)
    args += (settlement.event or "", int(settlement.keeps_report))
    args.append(int(settlement.graph is not None))
    if settlement.graph is not None:
        place = settlement.place or Place()
        args += graph_args(settlement.graph)
        args += (place.waits or "", int(place.barrier), int(place.takes))
    return args
