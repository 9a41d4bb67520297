"""What follows from the end of a task, and what its followers take from it.

All in the transaction that writes the end, so that a chain cannot stop half-way and what waits
for a group is woken exactly once.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import itemgetter
from sqlite3 import Connection
from typing import Any

from ...model.graph import Graph, Place
from ...model.message import Delivery, Input
from ...states import Phase
from .. import walk
from ..walk import Closed, Dependents, Ended, Waiter
from .rows import Row, initial_tokens, workflow_row
from .statements import SQL


def insert(db: Connection, graph: Graph, now: float) -> None:
    """Write a whole workflow."""
    rows = map(workflow_row, graph.messages, graph.places, initial_tokens(), repeat(now))
    db.executemany(SQL["enqueue_in_workflow"], rows)
    db.executemany(SQL["enqueue_group"], graph.groups)


def replace(db: Connection, id: str, after: Place) -> None:
    """Have the end of a task wait for that of what goes on in its place."""
    waited = db.execute(SQL["barrier_of"], (id,)).fetchall()
    db.execute(SQL["replace"], {**after._asdict(), "id": id})
    for (group,) in waited:
        db.execute(SQL["release_groups"], {"id": group})


def propagate_ends(db: Connection, keys: Iterable[int], now: float) -> None:
    """See to what waited for the tasks `keys`, which have just ended."""
    rows = db.execute(SQL["ended_of"], (json.dumps(list(keys)),)).fetchall()
    ended = [
        Ended(id, Phase(phase), group, waits if barrier else None, keep, bool(told), bool(awaited))
        for id, phase, group, barrier, waits, keep, told, awaited in rows
    ]
    walk.propagate_ends(_SqlDependents(db, now), ended)


class _SqlDependents(Dependents):
    """The walk's questions in SQL."""

    def __init__(self, db: Connection, now: float) -> None:
        self._db = db
        self.now = now

    def waiters(self, id: str, *, barrier: bool) -> list[Waiter]:
        return [Waiter(*row) for row in self._rows("waiters", id, barrier)]

    def wake(self, id: str, phase: Phase, woken_by: str, eta: float | None) -> None:
        self._db.execute(SQL["wake"], (phase, woken_by, eta, id))

    def skip(self, id: str, phase: Phase, blame: str, keep_until: float | None) -> None:
        self._db.execute(SQL["skip"], (phase, blame, self.now, keep_until, id))

    def drop(self, id: str) -> None:
        self._db.execute(SQL["drop"], (id,))

    def is_open(self, group: str) -> bool:
        ((is_open,),) = self._db.execute(SQL["group_is_open"], {"id": group}).fetchall()
        return bool(is_open)

    def blame(self, group: str) -> str | None:
        rows = self._db.execute(SQL["blame"], {"id": group}).fetchall()
        return next((id for (id,) in rows), None)

    def close(self, group: str, blame: str | None) -> Closed | None:
        for outer, forgiving in self._rows("close_group", self.now, blame, group):
            return Closed(outer, bool(forgiving))
        return None

    def release(self, group: str) -> None:
        self._db.execute(SQL["release_groups"], {"id": group})

    def _rows(self, verb: str, *values: object) -> list[Row]:
        return self._db.execute(SQL[verb], values).fetchall()


def with_inputs(db: Connection, delivery: Delivery) -> Delivery:
    """Return the `delivery` of a task that has waited for others, with what it takes from them."""
    place = db.execute(SQL["place"], (delivery.receipt.key,)).fetchall()
    ((takes, waits, barrier, on_failure),) = place
    if waits is None or not (takes or on_failure):
        return delivery
    if on_failure:
        return delivery._replace(inputs=_failure(db, waits))
    return delivery._replace(inputs=_members(db, waits) if barrier else _one(db, waits))


def _one(db: Connection, id: str) -> Input | None:
    rows = db.execute(SQL["input"], (id,)).fetchall()
    return Input(*rows[0]) if rows else None


def _members(db: Connection, group: str) -> list[Any]:
    """The ends of a group's members in their order; of groups in it, lists."""
    tasks = db.execute(SQL["inputs"], (group,)).fetchall()
    groups = db.execute(SQL["inner_groups"], (group,)).fetchall()
    found: list[tuple[int, Any]] = [(position, _cause(db, *ended)) for position, *ended in tasks]
    found += [(position, _members(db, inner)) for position, inner in groups]
    found.sort(key=itemgetter(0))
    return [each for _, each in found]


def _failure(db: Connection, id: str) -> Input | None:
    """The failure of a task, and its message; of one that was skipped, the failure it is due to."""
    rows = db.execute(SQL["failed_input"], (id,)).fetchall()
    for phase, serializer, result, traceback, blame, *message in rows:
        cause = _cause(db, phase, serializer, result, traceback, blame)
        return cause._replace(blame=blame, message=tuple(message))
    return None


def _cause(
    db: Connection,
    phase: int,
    serializer: str | None,
    result: bytes | None,
    traceback: str | None,
    blame: str | None,
) -> Input:
    """What a task came to; of one that was skipped, what that is due to."""
    cause = _one(db, blame) if phase == Phase.SKIPPED and blame is not None else None
    return cause._replace(phase=phase) if cause else Input(phase, serializer, result, traceback)


def cancel_revoked(db: Connection, now: float) -> None:
    """End the revoked tasks that nobody runs; after every change that may bring a task back."""
    rows = db.execute(SQL["cancel_revoked"], (now,)).fetchall()
    propagate_ends(db, [key for key, tied in rows if tied], now)


def revive(db: Connection, ids: Sequence[str]) -> list[str]:
    """Make those of `ids` that did not succeed ready again; return their ids."""
    for phase in Phase:
        if phase > Phase.SUCCEEDED:
            rows = [(phase.name.lower(), id, phase) for id in ids]
            db.executemany(SQL["remember_last"], rows)
    done = [id for id in ids if db.execute(SQL["revive"], (id,)).rowcount]
    for id in done:
        db.execute(SQL["reopen"], (id,))
        db.execute(SQL["unskip"], (id,))
    return done


def purge_waiting(db: Connection, queues: Sequence[str] | None, now: float) -> int:
    """Drop what waits to be run; what others wait for ends as cancelled. Answers how many."""
    values = {"queues": None if queues is None else json.dumps(list(queues)), "now": now}
    tied = db.execute(SQL["purge_tied"], values).fetchall()
    dropped = db.execute(SQL["purge"], values).rowcount
    propagate_ends(db, [key for (key,) in tied], now)
    return dropped + len(tied)
