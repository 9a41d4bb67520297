"""The indexes of tasks by phase, read for tools. The keys are explained in scripts/head.lua."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...model.message import Record
from ...model.options import has_one_of
from ...states import Phase
from .server import Server

_PAGE = 5000  # members in one reply, so that the server is never busy for long
_SEQ = 14  # digits before the id in a member of an index


def id_pages(
    server: Server,
    phases: Sequence[Phase],
    queues: Sequence[str],
    size: int,
    *,
    up_to: int | None = None,
) -> Iterator[list[str]]:
    """Yield the ids of the tasks in `phases`, oldest first, `size` at a time.

    `up_to`: the last place in the order of sending. A task may have left its phase by the time its
    id is yielded.
    """
    keys = list(_keys(server, phases, queues))
    members = sorted({member for key in keys for member in _members(server, key)})
    if up_to is not None:
        members = [member for member in members if int(member[:_SEQ]) <= up_to]
    for start in range(0, len(members), size):
        yield [member[_SEQ:].decode() for member in members[start : start + size]]


def matches(
    record: Record, phases: Sequence[Phase], task: str | None, headers: Mapping[str, Any] | None
) -> bool:
    """Return whether a record is in `phases`, of the name `task`, and has one of `headers`."""
    if record.phase not in phases:
        return False
    if task is not None and record.message.task != task:
        return False
    return headers is None or has_one_of(headers, record.message)


def _members(server: Server, key: str) -> Iterator[bytes]:
    start = 0
    while page := server.execute("ZRANGE", key, start, start + _PAGE - 1):
        yield from page
        start += _PAGE


def _keys(server: Server, phases: Sequence[Phase], queues: Sequence[str]) -> Iterator[str]:
    prefix = server.location.prefix
    for phase in phases:
        match phase:
            case Phase.WAITING:
                yield f"{prefix}:waiting"
            case Phase.SCHEDULED:
                yield f"{prefix}:scheduled"
            case Phase.READY:
                yield from (f"{prefix}:ready:{queue}" for queue in dict.fromkeys(queues))
            case Phase.RUNNING:
                workers = server.execute("ZRANGE", f"{prefix}:workers", 0, -1)
                yield from (f"{prefix}:running:{worker.decode()}" for worker in workers)
            case _:
                yield f"{prefix}:ended:{int(phase)}"
