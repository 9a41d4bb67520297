"""Bulks: tasks that are too many for one script, so they are stored in steps.

Their parts are kept unread until all are there. Then one short script sends the bulk: nobody sees
anything of it before, and all of it is stored from then on. What is left of the work, to read the
parts one by one, is done by the sender; or by a worker, should the sender be killed.

A task that cannot be stored, because another program has written what the server cannot use into a
key that it needs, costs no other.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from ...exceptions import BrokerError, BrokerFull, BrokerUnavailable
from ...model.graph import Graph
from ...model.message import Message, new_id
from ...states import Phase
from ...support.clock import Clock
from ..transfer import KEEP_ARRIVALS, TransferBatch
from .arguments import Arguments, group_args, message_args, place_fields
from .moving import arrivals_args, as_stored, moved_group_args, transfer_args
from .replies import text_of
from .scripting import Argument
from .server import Server
from .signing import Signing

_logger = logging.getLogger("liteq.broker")

_MOST = 500  # tasks in one part: the server stores them in some 10 ms
_LARGEST = 2**20  # bytes in one part, unless one task alone is larger


def is_large(messages: Sequence[Message]) -> bool:
    """Return whether so many or so large messages are stored in steps."""
    n = len(messages)
    return n > _MOST or (n > 1 and sum(len(each.payload) for each in messages) > _LARGEST)


def message_parts(messages: Iterable[Message], *, keyed: bool = False) -> Iterator[bytes]:
    """Yield the parts of a bulk of messages. Read by scripts/store_part.lua, as all parts.

    `keyed`: some have unique keys.
    """
    kind = "tasks" if keyed else "singles"
    yield from _parts(kind, ([n, *message_args(each)] for n, each in enumerate(messages, 1)))


def graph_parts(graph: Graph) -> Iterator[bytes]:
    """Yield the parts of a workflow: what can run comes last, behind what waits for it."""
    numbered = list(enumerate(zip(graph.messages, graph.places, strict=True), 1))
    yield from _parts("groups", map(group_args, graph.groups))
    for waits in (True, False):
        yield from _parts(
            "tasks",
            (
                [n, *message_args(message, place_fields(place))]
                for n, (message, place) in numbered
                if (place.waits is not None) is waits
            ),
        )
    yield from _parts("complete_groups", ([group.id] for group in graph.groups))


def transfer_parts(batch: TransferBatch, signing: Signing) -> Iterator[bytes]:
    """Yield the parts of what comes from another store: what can run comes last."""
    batch = as_stored(batch, signing)
    numbered = list(enumerate(batch.transfers, 1))
    yield from _parts("moved_groups", map(moved_group_args, batch.groups))
    for can_run in (False, True):
        yield from _parts(
            "moved_tasks",
            (
                [n, *transfer_args(transfer, signing)]
                for n, transfer in numbered
                if (transfer.record.phase in (Phase.SCHEDULED, Phase.READY)) is can_run
            ),
        )
    keep: Arguments = [int(KEEP_ARRIVALS)]
    yield from _parts("arrivals", ([*keep, *arrivals_args([each])] for each in batch.arrivals))
    yield from _parts("complete_groups", ([moved.group.id] for moved in batch.groups))


def send_bulk(
    server: Server, clock: Clock, parts: Iterable[bytes], tasks: int, first: str = ""
) -> str:
    """Store a bulk of so many `tasks`, or nothing; nothing if the id `first` is known.

    Returns the id of the bulk. Raises BrokerError. As with any verb, it may be stored all the same
    if it is BrokerUnavailable.
    """
    id, n = new_id(), 0
    try:
        for n, part in enumerate(parts, 1):
            server.run("stage", clock(), id, n, part)
    except BrokerFull:
        server.execute("UNLINK", f"{server.location.prefix}:bulk:{id}")
        raise
    if not server.run("send_bulk", clock(), id, n, tasks, first):
        raise BrokerUnavailable(
            f"{server.location.url} has lost a part of {tasks} tasks before the last one came; "
            "none of them is stored: send them again"
        )
    why = None
    with suppress(BrokerUnavailable):  # it was sent, so a worker stores what is left
        left = n
        while left:
            left, failed = store_part(server, clock, id)
            why = failed or why
    server.run_replicated("store_part", clock(), id)  # waits for replicas: nothing is left
    if why is not None:
        raise BrokerError(f"{server.location.url}: not all of {tasks} tasks could be stored: {why}")
    return id


def store_part(server: Server, clock: Clock, bulk: str | bytes) -> tuple[int, str | None]:
    """Store the next part of a bulk that was sent.

    Returns how many parts are left, and why something of the bulk could not be stored so far.
    """
    left, failed = server.run("store_part", clock(), bulk)
    if failed is None:
        return left, None
    why = text_of(failed)
    if not left:
        _logger.warning("of what was sent together not all could be stored: %s", why)
    return left, why


def finish_bulks(server: Server, clock: Clock) -> None:
    """Store what is left of the bulks that were sent."""
    while bulk := server.execute("LINDEX", f"{server.location.prefix}:bulks", 0):
        store_part(server, clock, bulk)


def _parts(kind: str, things: Iterable[Arguments]) -> Iterator[bytes]:
    """Yield the arguments of `things` in parts, each headed by their kind."""
    head = _packed(kind)
    packed, texts, n, size = [head], 1, 0, 0
    for thing in things:
        data = b"".join(map(_packed, [len(thing), *thing]))
        if n and (n == _MOST or size + len(data) > _LARGEST):
            yield _list_of(texts, packed)
            packed, texts, n, size = [head], 1, 0, 0
        packed.append(data)
        texts += 1 + len(thing)
        n += 1
        size += len(data)
    if n:
        yield _list_of(texts, packed)


# MessagePack, which scripts can read: lists of texts are all that is needed of it.


def _packed(value: Argument) -> bytes:
    data = value if isinstance(value, bytes) else str(value).encode()
    return b"\xdb" + len(data).to_bytes(4, "big") + data


def _list_of(n: int, packed: Iterable[bytes]) -> bytes:
    return b"\xdd" + n.to_bytes(4, "big") + b"".join(packed)
