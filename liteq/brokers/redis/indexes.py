"""The indexes of tasks by phase, read for tools. The keys are explained in scripts/head.lua.

They are read as far as needed, a page at a time, and in the order of sending, which is that of the
members of an index. Only members of equal score are in that order there: of an index whose scores
differ much, which is one of times, the oldest members are looked for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge, nsmallest
from itertools import takewhile
from typing import Any

from ...model.message import Record
from ...model.options import has_one_of
from ...states import Phase
from .replies import text_of, texts_of
from .server import Server

_STEP = 5000  # members that one script looks at, so that the server is never busy for long
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
    members: Iterator[bytes] = merge(*_sources(server, phases, queues, size))
    if up_to is not None:
        last_seq = b"%0*d" % (_SEQ, up_to)
        members = takewhile(lambda member: member[:_SEQ] <= last_seq, members)
    page: list[str] = []
    last = b""
    for member in members:
        if member != last:  # it may have gone from one phase to another meanwhile
            page.append(text_of(member[_SEQ:]))
        last = member
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


def ids_in(server: Server, key: str) -> list[str]:
    """Return all members of an index whose members are ids, by score."""
    found: list[str] = []
    while page := server.execute("ZRANGE", key, len(found), len(found) + _STEP - 1):
        found += texts_of(page)
    return found


def matches(
    record: Record, phases: Sequence[Phase], task: str | None, headers: Mapping[str, Any] | None
) -> bool:
    """Return whether a record is in `phases`, of the name `task`, and has one of `headers`."""
    if record.phase not in phases:
        return False
    if task is not None and record.message.task != task:
        return False
    return headers is None or has_one_of(headers, record.message)


def _sources(
    server: Server, phases: Sequence[Phase], queues: Iterable[str], size: int
) -> Iterator[Iterator[bytes]]:
    """Yield for each index, or part of one, its members in the order of sending."""
    prefix = server.location.prefix
    for phase in dict.fromkeys(phases):
        match phase:
            case Phase.WAITING:
                yield _of_score(server, f"{prefix}:waiting", "0", size)
            case Phase.SCHEDULED:
                yield _oldest(server, f"{prefix}:scheduled", size)
            case Phase.READY:
                for queue in dict.fromkeys(queues):
                    key = f"{prefix}:ready:{queue}"
                    for score in _scores(server, key):
                        yield _of_score(server, key, score, size)
            case Phase.RUNNING:
                for worker in server.execute("ZRANGE", f"{prefix}:workers", 0, -1):
                    yield _of_score(server, f"{prefix}:running:{text_of(worker)}", "0", size)
            case _:
                yield _oldest(server, f"{prefix}:ended:{int(phase)}", size)


def _scores(server: Server, key: str) -> Iterator[str]:
    """Yield the scores that are in an index: of one of ready tasks, the few priorities."""
    above = "-inf"
    while found := server.execute("ZRANGEBYSCORE", key, above, "+inf", "WITHSCORES", "LIMIT", 0, 1):
        score = found[1].decode()
        yield score
        above = f"({score}"


def _of_score(server: Server, key: str, score: str, size: int) -> Iterator[bytes]:
    """Yield the members of one score, `size` at a time. Those that leave meanwhile do no harm."""
    last = b""
    while page := server.run("members_of_score", 0.0, key, score, last, size):
        if page[-1] <= last:
            return  # the server's locale has another order for what another program wrote
        yield from page
        last = page[-1]


def _oldest(server: Server, key: str, size: int) -> Iterator[bytes]:
    """Yield the members of an index whose scores are times.

    All of it is looked at to find the first `size`, and again for more. Each time there are more of
    them, so that the whole of a million is looked at seven times, and not two thousand times.
    """
    last = b""
    while found := _oldest_after(server, key, last, size):
        if found[-1] <= last:
            return  # see `_of_score`
        yield from found
        last = found[-1]
        size *= 4


def _oldest_after(server: Server, key: str, last: bytes, size: int) -> list[bytes]:
    """Return the `size` members that are next to the member `last` in the order of sending."""
    found: list[bytes] = []
    for start in range(0, server.execute("ZCARD", key), _STEP):
        before = found[-1] if len(found) == size else b""
        bounds = (start, start + _STEP - 1, last, before)
        found = nsmallest(size, found + server.run("members_between", 0.0, key, *bounds))
    return found
