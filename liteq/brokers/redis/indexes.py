"""The indexes of tasks by phase, read for tools. The keys are explained in scripts/head.lua.

They are read as far as needed, a page at a time, and in the order of sending, which is that of the
members of an index. Only members of equal score are in that order there: of an index whose scores
differ much, which is one of times, the oldest members are looked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge, nlargest, nsmallest
from itertools import takewhile
from typing import NamedTuple

from ...model.search import EVERYTHING, Search
from ...states import Phase
from .replies import text_of, texts_of
from .server import Server

_STEP = 5000  # members that one script looks at, so that the server is never busy for long
SEQ = 14  # digits before the id in a member of an index


class _Part(NamedTuple):
    """Say how an index is read: `size` members at a time, from the one after `last` on."""

    size: int
    newest: bool
    last: bytes  # empty: from the first member on

    def goes_on(self, last: bytes) -> bool:
        """Return whether the member `last` comes after the last one that was read.

        It does not when another program has written members, which the server's locale may order
        in another way.
        """
        return not self.last or (last < self.last if self.newest else last > self.last)


def id_pages(
    server: Server,
    phases: Sequence[Phase],
    queues: Sequence[str],
    size: int,
    search: Search = EVERYTHING,
    *,
    up_to: int | None = None,
) -> Iterator[list[str]]:
    """Yield the ids of the tasks in `phases`, in the order of `search`, `size` at a time.

    `up_to`: the last place in the order of sending. A task may have left its phase by the time its
    id is yielded.
    """
    begin = b"" if search.beyond is None else b"%0*d" % (SEQ, search.beyond)
    if begin and not search.newest:
        begin += b"\xff"  # behind the member of that place, as members begin with it
    sources = _sources(server, phases, queues, _Part(size, search.newest, begin))
    members: Iterator[bytes] = merge(*sources, reverse=search.newest)
    if up_to is not None:
        last_seq = b"%0*d" % (SEQ, up_to)
        members = takewhile(lambda member: member[:SEQ] <= last_seq, members)
    page: list[str] = []
    last = b""
    for member in members:
        if member != last:  # it may have gone from one phase to another meanwhile
            page.append(text_of(member[SEQ:]))
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


def _sources(
    server: Server, phases: Sequence[Phase], queues: Iterable[str], part: _Part
) -> Iterator[Iterator[bytes]]:
    """Yield for each index, or part of one, its members in the order of sending."""
    prefix = server.location.prefix
    for phase in dict.fromkeys(phases):
        match phase:
            case Phase.WAITING:
                yield _of_score(server, f"{prefix}:waiting", "0", part)
            case Phase.SCHEDULED:
                yield _in_order(server, f"{prefix}:scheduled", part)
            case Phase.READY:
                for queue in dict.fromkeys(queues):
                    key = f"{prefix}:ready:{queue}"
                    for score in _scores(server, key):
                        yield _of_score(server, key, score, part)
            case Phase.RUNNING:
                for worker in server.execute("ZRANGE", f"{prefix}:workers", 0, -1):
                    yield _of_score(server, f"{prefix}:running:{text_of(worker)}", "0", part)
            case _:
                yield _in_order(server, f"{prefix}:ended:{int(phase)}", part)


def _scores(server: Server, key: str) -> Iterator[str]:
    """Yield the scores that are in an index: of one of ready tasks, the few priorities."""
    above = "-inf"
    while found := server.execute("ZRANGEBYSCORE", key, above, "+inf", "WITHSCORES", "LIMIT", 0, 1):
        score = found[1].decode()
        yield score
        above = f"({score}"


def _of_score(server: Server, key: str, score: str, part: _Part) -> Iterator[bytes]:
    """Yield the members of one score. Those that leave meanwhile do no harm."""
    direction = "newest" if part.newest else "oldest"
    while page := server.run("members_of_score", 0.0, key, score, part.last, part.size, direction):
        if not part.goes_on(page[-1]):
            return
        yield from page
        part = part._replace(last=page[-1])


def _in_order(server: Server, key: str, part: _Part) -> Iterator[bytes]:
    """Yield the members of an index whose scores are times.

    All of it is looked at to find the first `size`, and again for more. Each time there are more of
    them, so that the whole of a million is looked at seven times, and not two thousand times.
    """
    while found := _next_page(server, key, part):
        if not part.goes_on(found[-1]):
            return
        yield from found
        part = part._replace(last=found[-1], size=part.size * 4)


def _next_page(server: Server, key: str, part: _Part) -> list[bytes]:
    """Return the members that come next in the order of sending."""
    first = nlargest if part.newest else nsmallest
    found: list[bytes] = []
    for start in range(0, server.execute("ZCARD", key), _STEP):
        end = found[-1] if len(found) == part.size else b""
        between = (end, part.last) if part.newest else (part.last, end)
        bounds = (start, start + _STEP - 1, *between)
        found = first(part.size, found + server.run("members_between", 0.0, key, *bounds))
    return found
