"""Workflows: how they are stored, and what depends on a task or a group."""

from collections.abc import Callable, Iterator, Sequence

from ...model.graph import ALONE, Graph, Members, Place
from ...model.message import Record
from ...model.unique import has_key
from ...states import Phase
from ..walk import Closed, Dependent, Dependents, Ended
from .tables import StoredGroup, Tables
from .uniquekeys import MemoryKeys


class MemoryDependents(Dependents):
    """The dependents of ended tasks, in the tables; `put` stores a changed record."""

    def __init__(
        self, tables: Tables, now: float, put: Callable[[Record], None], keys: MemoryKeys
    ) -> None:
        self.now = now
        self._tables = tables
        self._put = put
        self._keys = keys

    def of(self, id: str, *, barrier: bool) -> list[Dependent]:
        return [
            Dependent(
                record.message.id, place.on_failure, place.group, record.message.eta, place.delay
            )
            for record, place in _dependents_of(self._tables, id, barrier=barrier)
            if record.phase is Phase.WAITING
            and record.event is None
            and not self._keys.held_back(record.message.id)  # it was woken before
        ]

    def wake(self, id: str, phase: Phase, woken_by: str, eta: float | None) -> None:
        record = self._tables.tasks[id]
        message = record.message._replace(eta=eta)
        self._put(record._replace(message=message, phase=phase, woken_by=woken_by))
        self._keys.ask(id)

    def skip(self, id: str, phase: Phase, blame: str, keep_until: float | None) -> None:
        skipped = self._tables.tasks[id]._replace(phase=phase, woken_by=blame)
        self._put(skipped._replace(finished=self.now, keep_until=keep_until))
        self._keys.release(id)

    def drop(self, id: str) -> None:
        self._tables.delete([self._tables.tasks[id]])

    def is_open(self, group: str) -> bool:
        return not all(task.phase.final for task in _tasks_in(self._tables, group)) or not all(
            stored.closed for stored in _groups_in(self._tables, group)
        )

    def blame(self, group: str) -> str | None:
        for task in _tasks_in(self._tables, group):
            if task.phase is Phase.SKIPPED:
                return task.woken_by or task.message.id
            if task.phase > Phase.SUCCEEDED:
                return task.message.id
        failed = (each for each in _groups_in(self._tables, group) if not each.group.forgiving)
        return next((each.blame for each in failed if each.blame), None)

    def close(self, group: str, blame: str | None) -> Closed | None:
        stored = self._tables.groups.get(group)
        if stored is None or stored.closed:
            return None
        self._tables.groups[group] = stored._replace(closed=True, blame=blame)
        return Closed(stored.group.outer, stored.group.forgiving)

    def free_members(self, group: str) -> None:
        dependents = _dependents_of(self._tables, group, barrier=True)
        if all(record.phase.final for record, _ in dependents):
            self._release(group)

    def _release(self, group: str) -> None:
        stored = self._tables.groups.get(group)
        if stored is not None:
            self._tables.groups[group] = stored._replace(released=True)
        for inner in _groups_in(self._tables, group):
            self._release(inner.group.id)

    # workflows as a whole

    def insert(self, graph: Graph, records: Sequence[Record]) -> list[str]:
        """Store a workflow; `records` are those of its messages. Known ids are left as they are.

        Returns the ids of the tasks that can run and may have a unique key.
        """
        asking = []
        for record, place in zip(records, graph.places, strict=True):
            id = record.message.id
            if id in self._tables.tasks:
                continue
            self._tables.places[id] = place
            if has_key(record.message):
                self._tables.places[id] = place._replace(followed=True)
                asking += [id] if place.waits is None else []
            self._put(
                record._replace(
                    phase=record.phase if place.waits is None else Phase.WAITING,
                    waits=place.waits,
                    barrier=place.barrier,
                    on_failure=place.on_failure,
                    group=place.group,
                    position=place.position,
                )
            )
        for group in graph.groups:
            self._tables.groups.setdefault(group.id, StoredGroup(group))
        return asking

    def replace(self, id: str, after: Place) -> None:
        """Let the task `id` wait for what was sent in its place."""
        place = self._tables.places.get(id, ALONE)
        waited = place.waits if place.barrier else None
        place = place.replaced(after)
        record = self._tables.tasks[id]
        self._put(record._replace(waits=place.waits, barrier=place.barrier, on_failure=0))
        self._tables.places[id] = place
        if waited is not None:
            self.free_members(waited)

    def unskip(self, id: str) -> None:
        """Let tasks wait again that were skipped because of the task `id`, which was revived."""
        for name, stored in self._tables.groups.items():
            if stored.blame == id:
                self._tables.groups[name] = StoredGroup(stored.group)
        for record in self._tables.in_phases(Phase.SKIPPED):
            if record.woken_by == id:
                waiting = record._replace(phase=Phase.WAITING, woken_by=None)
                self._put(waiting._replace(finished=None, keep_until=None))


# questions to the tables


def ended_of(record: Record) -> Ended:
    """Return what the walk has to know of a task that has ended."""
    barrier = record.waits if record.barrier else None
    reported = record.reported is not None
    return Ended(
        record.message.id, record.phase, record.group, barrier, record.keep_until, reported
    )


def is_needed(tables: Tables, record: Record) -> bool:
    """Return whether the outcome of the task is still to be handed on to others."""
    stored = tables.groups.get(record.group or "")
    if stored is not None and not stored.released:
        return True
    dependents = _dependents_of(tables, record.message.id, barrier=False)
    if not all(dependent.phase.final for dependent, _ in dependents):
        return True
    behind = (id for id, use in tables.keys.items() if use.behind == record.message.id)
    return not all(tables.tasks[id].phase.final for id in behind)


def dependent_ids(tables: Tables, id: str, *, barrier: bool) -> list[str]:
    """Return the ids of all tasks that wait or waited for it, in order of sending."""
    return [record.message.id for record, _ in _dependents_of(tables, id, barrier=barrier)]


def members_of(tables: Tables, group: str) -> Members:
    """Return the members of a group."""
    tasks = sorted(_tasks_in(tables, group), key=lambda task: task.position)
    inner = sorted(_groups_in(tables, group), key=lambda stored: stored.group.position)
    stored = tables.groups.get(group)
    outer = stored.group.outer if stored else None
    return Members([task.message.id for task in tasks], [each.group.id for each in inner], outer)


def _dependents_of(tables: Tables, id: str, *, barrier: bool) -> Iterator[tuple[Record, Place]]:
    """Yield the tasks that wait or waited for a task or a group, in order of sending."""
    for name, record in tables.tasks.items():
        place = tables.places.get(name, ALONE)
        if (place.waits, place.barrier) == (id, barrier):
            yield record, place


def _tasks_in(tables: Tables, group: str) -> list[Record]:
    return [task for task in tables.tasks.values() if task.group == group]


def _groups_in(tables: Tables, group: str) -> list[StoredGroup]:
    return [stored for stored in tables.groups.values() if stored.group.outer == group]
