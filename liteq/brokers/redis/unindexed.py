"""Tasks that are in no index, because another program has deleted or written over one.

Nobody finds them there: no worker, no listing. They are found from the tasks themselves.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ...exceptions import BrokerError
from ...states import Phase
from ..base import Finding, QueueCount
from .replies import text_of
from .server import Server


class Unindexed(NamedTuple):
    """Count the tasks in no index, or in none of this version, and those that were mended."""

    missing: int = 0
    garbled: int = 0  # their phase is none
    foreign: int = 0  # a newer version has them
    mended: int = 0


def look_for(server: Server, now: float, *, mend: bool = False) -> Unindexed:
    """Look at all tasks of a store, some 500 at a time; with `mend`, put in order what can be."""
    found = Unindexed()
    cursor = "0"
    while True:
        reply = server.run("unindexed", now, cursor, int(mend))
        cursor = text_of(reply[0])
        found = Unindexed(*(old + int(new) for old, new in zip(found, reply[1:], strict=True)))
        if cursor == "0":
            return found


def differ(server: Server, counts: Sequence[QueueCount]) -> bool:
    """Return whether an index has fewer tasks than `counts` says. It is quick, and may be wrong
    while others use the store."""
    expected: Counter[str] = Counter()
    for queue, phase, tasks in counts:
        name = f"ready:{queue}" if phase is Phase.READY else phase.name
        expected[name] += tasks
    return any(_size(server, name) < tasks for name, tasks in expected.items() if tasks)


def findings(found: Unindexed) -> Iterator[Finding]:
    """Yield what is wrong."""
    if found.missing:
        yield Finding(
            "error",
            f"{found.missing} tasks are in no index, so no worker finds them",
            "another program has deleted a key, or has written there; --repair puts them back",
        )
    if found.garbled:
        yield Finding(
            "error",
            f"{found.garbled} tasks have a phase that is none",
            "another program has written there; --repair sets them aside as dead, and `liteq dead "
            "retry` runs them",
        )
    if found.foreign:
        yield Finding(
            "warning",
            f"{found.foreign} tasks are in a phase that is unknown here",
            "a newer liteq has them: no worker of this version runs, ends or deletes them, so use "
            "that one",
        )


def _size(server: Server, name: str) -> int:
    """Return how many tasks are in the index of a queue's ready tasks, or of a phase."""
    prefix = server.location.prefix
    keys: Iterable[str] = [f"{prefix}:{name}"]
    if name == Phase.RUNNING.name:
        workers = server.execute("ZRANGE", f"{prefix}:workers", 0, -1)
        keys = [f"{prefix}:running:{text_of(worker)}" for worker in workers]
    elif name in Phase.__members__:
        phase = Phase[name]
        keys = [f"{prefix}:ended:{int(phase)}" if phase.final else f"{prefix}:{name.lower()}"]
    try:
        return sum(server.execute("ZCARD", key) for key in keys)
    except BrokerError:  # it was written over
        return 0
