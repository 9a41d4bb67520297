"""Workflows: how they are stored, and what the end of a task means for others.

All in the transaction that writes the end, so that a chain cannot stop half-way, and what waits
for a group is woken exactly once.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from sqlite3 import Connection

from ...model.graph import Graph, Members, Place
from ...model.unique import has_key
from ...states import Phase
from .. import walk
from ..uniquekeys import NO_ANSWERS, Answers
from ..walk import Closed, Dependent, Dependents, Ended
from .changes import Changes
from .rows import Row, initial_tokens, workflow_row
from .statements import SQL
from .uniquekeys import ask, ask_all, release, tie

_GROUP, _BARRIER, _AWAITED = 2, 3, 7  # values in a row of `ended_of`


def insert(db: Connection, graph: Graph, now: float, changes: Changes) -> list[str]:
    """Store a whole workflow; return the ids of its tasks that can run and may have a unique key.

    Once it is known what waits for them, these have to `ask` for it.
    """
    places = zip(graph.messages, graph.places, strict=True)
    changes.sent([message for message, place in places if place.waits is None])
    rows = map(workflow_row, graph.messages, graph.places, initial_tokens(), repeat(now))
    db.executemany(SQL["enqueue_in_workflow"], rows)
    db.executemany(SQL["enqueue_group"], graph.groups)
    if not any(map(has_key, graph.messages)):
        return []
    places = zip(graph.messages, graph.places, strict=True)
    keyed = [(message.id, place) for message, place in places if has_key(message)]
    tie(db, [id for id, _ in keyed])
    return [id for id, place in keyed if place.waits is None]


def insert_new(db: Connection, graph: Graph, now: float, changes: Changes) -> Answers:
    """Store a whole workflow; nothing if the id of its first message is known.

    Returns the ids of the tasks as which some end, by the ids of these. Raises DuplicateTask.
    """
    if db.execute(SQL["is_known"], (graph.messages[0].id,)).fetchall():
        return NO_ANSWERS
    asking = insert(db, graph, now, changes)
    return ask_all(db, asking, now, changes, by_caller=True) if asking else NO_ANSWERS


def replace(db: Connection, id: str, after: Place) -> None:
    """Let the task `id` wait for what was sent in its place."""
    waited = db.execute(SQL["barrier_of"], (id,)).fetchall()
    db.execute(SQL["replace"], {**after._asdict(), "id": id})
    for (group,) in waited:
        db.execute(SQL["free_members"], {"id": group})


def propagate_ends(db: Connection, keys: Iterable[int], now: float, changes: Changes) -> None:
    """Wake, skip or drop what waited for the tasks `keys`, which have just ended."""
    rows = db.execute(SQL["ended_of"], (json.dumps(list(keys)),)).fetchall()
    # Of the members of a group that nothing else waits for, one tells that it may be complete.
    of_groups = {row[_GROUP]: row for row in rows if not (row[_BARRIER] or row[_AWAITED])}
    others = (row for row in rows if row[_BARRIER] or row[_AWAITED])
    ended = [
        Ended(
            id,
            Phase(phase),
            group,
            waits if barrier else None,
            keep_until,
            bool(reported),
            bool(awaited),
        )
        for id, phase, group, barrier, waits, keep_until, reported, awaited, _ in (
            *others,
            *of_groups.values(),
        )
    ]
    for id, *_, details in rows:
        if details:
            release(db, id, now, changes)
    walk.propagate_ends(_SqlDependents(db, now, changes), ended)


class _SqlDependents(Dependents):
    """The dependents of ended tasks, in SQL."""

    def __init__(self, db: Connection, now: float, changes: Changes) -> None:
        self._db = db
        self.now = now
        self._changes = changes

    def of(self, id: str, *, barrier: bool) -> list[Dependent]:
        return [Dependent(*row) for row in self._rows("dependents", id, barrier)]

    def wake(self, id: str, phase: Phase, woken_by: str, eta: float | None) -> None:
        for queue, details in self._rows("wake", phase, woken_by, eta, id):
            if not details or ask(self._db, id, self.now, self._changes) is None:
                self._changes.woken(queue, later=eta is not None)

    def skip(self, id: str, phase: Phase, blame: str, keep_until: float | None) -> None:
        for (details,) in self._rows("skip", phase, blame, self.now, keep_until, id):
            if details:
                release(self._db, id, self.now, self._changes)
        self._changes.ids.append(id)

    def drop(self, id: str) -> None:
        self._db.execute(SQL["drop"], (id,))

    def is_open(self, group: str) -> bool:
        ((is_open,),) = self._db.execute(SQL["group_is_open"], {"id": group}).fetchall()
        return bool(is_open)

    def blame(self, group: str) -> str | None:
        rows = self._db.execute(SQL["blame"], {"id": group}).fetchall()
        return next((id for id, *_ in rows), None)

    def close(self, group: str, blame: str | None) -> Closed | None:
        rows = self._rows("close_group", self.now, blame, group)
        return next((Closed(outer, bool(forgiving)) for outer, forgiving in rows), None)

    def free_members(self, group: str) -> None:
        self._db.execute(SQL["free_members"], {"id": group})

    def _rows(self, name: str, *values: object) -> list[Row]:
        return self._db.execute(SQL[name], values).fetchall()


def members_of(read: Callable[[str, Row], list[Row]], group: str) -> Members:
    """Return the members of a group; `read` runs a query."""
    tasks = [id for (id,) in read(SQL["members"], (group,))]
    inner = [id for _, id in read(SQL["inner_groups"], (group,))]
    outer = next((id for (id,) in read(SQL["outer_group"], (group,))), None)
    return Members(tasks, inner, outer)


# what users do to tasks that did not run, or did not succeed


def cancel_revoked(db: Connection, now: float, changes: Changes) -> None:
    """End revoked tasks that do not run. To be called after what may have made a task ready."""
    rows = db.execute(SQL["cancel_revoked"], (now, now)).fetchall()
    changes.keys += [key for key, _ in rows]
    propagate_ends(db, [key for key, tied in rows if tied], now, changes)


def revoke(
    db: Connection, ids: Sequence[str], keep: float, terminate: bool, now: float, changes: Changes
) -> list[str]:
    """Revoke unfinished tasks; return their ids. Those that do not run end.

    `keep`: seconds that each is kept from its end on; infinity: for ever.
    """
    values = (keep, terminate)
    found = [id for id in dict.fromkeys(ids) if db.execute(SQL["revoke"], (*values, id)).rowcount]
    cancel_revoked(db, now, changes)
    return found


def revive(db: Connection, ids: Sequence[str], now: float) -> list[str]:
    """Make those of `ids` that did not succeed ready again; return their ids.

    One whose unique key another task has by now is to end as that one does.
    """
    once = dict.fromkeys(ids)
    for phase in Phase:
        if phase > Phase.SUCCEEDED and phase is not Phase.EXPIRED:  # which is no attempt
            rows = [(phase.name.lower(), id, phase) for id in once]
            db.executemany(SQL["remember_last"], rows)
    revived = []
    for id in once:
        for (details,) in db.execute(SQL["revive"], (id,)).fetchall():
            revived.append(id)
            if details:
                ask(db, id, now, Changes())  # all workers are notified
            db.execute(SQL["reopen_groups"], (id,))
            db.execute(SQL["unskip"], (id,))
    return revived


def purge_waiting(
    db: Connection, queues: Sequence[str] | None, now: float, changes: Changes
) -> int:
    """Drop the tasks of `queues` (None: of all) that wait to be run; return how many.

    Those that others wait for are not dropped, but end as cancelled.
    """
    values = {"queues": None if queues is None else json.dumps(list(queues)), "now": now}
    tied = db.execute(SQL["purge_tied"], values).fetchall()
    dropped = db.execute(SQL["purge"], values).rowcount
    changes.keys += [key for (key,) in tied]
    propagate_ends(db, [key for (key,) in tied], now, changes)
    return dropped + len(tied)
