"""Workflows in plain dicts: what waits for what, and what it takes from there."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...model.graph import Graph, Group, Members, Place
from ...model.message import Input, Record
from ...states import Phase
from ..walk import Closed, Dependents, Ended, Waiter


class StoredGroup(NamedTuple):
    """A group, and what became of it."""

    group: Group
    closed: bool = False
    blame: str | None = None  # the task by which it failed
    released: bool = False  # nobody needs its members' results any more


_NO_PLACE = Place()

Tasks = dict[str, Record]
Places = dict[str, Place]
Groups = dict[str, StoredGroup]


class MemoryDependents(Dependents):
    """The walk's questions to the tables of the broker; `put` writes a record back."""

    def __init__(
        self,
        tasks: Tasks,
        places: Places,
        groups: Groups,
        now: float,
        put: Callable[[Record], None],
    ) -> None:
        self.now = now
        self._tasks = tasks
        self._places = places
        self._groups = groups
        self._put = put

    def waiters(self, id: str, *, barrier: bool) -> list[Waiter]:
        return [
            Waiter(name, place.on_failure, place.group, self._tasks[name].message.eta, place.delay)
            for name, place in self._places.items()
            if (place.waits, place.barrier) == (id, barrier)
            and self._tasks[name].phase is Phase.WAITING
        ]

    def wake(self, id: str, phase: Phase, woken_by: str, eta: float | None) -> None:
        record = self._tasks[id]
        message = record.message._replace(eta=eta)
        self._put(record._replace(message=message, phase=phase, woken_by=woken_by))

    def skip(self, id: str, phase: Phase, blame: str, keep_until: float | None) -> None:
        skipped = self._tasks[id]._replace(phase=phase, woken_by=blame)
        self._put(skipped._replace(finished=self.now, keep_until=keep_until))

    def drop(self, id: str) -> None:
        del self._tasks[id], self._places[id]

    def is_open(self, group: str) -> bool:
        return not all(task.phase.final for task in self._members(group)) or not all(
            state.closed for state in self._inner(group).values()
        )

    def blame(self, group: str) -> str | None:
        for task in self._members(group):
            if task.phase is Phase.SKIPPED:
                return task.woken_by or task.message.id
            if task.phase > Phase.SUCCEEDED:
                return task.message.id
        inner = self._inner(group).values()
        return next((s.blame for s in inner if s.blame and not s.group.forgiving), None)

    def close(self, group: str, blame: str | None) -> Closed | None:
        state = self._groups.get(group)
        if state is None or state.closed:
            return None
        self._groups[group] = state._replace(closed=True, blame=blame)
        return Closed(state.group.outer, state.group.forgiving)

    def release(self, group: str) -> None:
        waiting = (self._tasks[name] for name, p in self._places.items() if _waits(p, group))
        if all(task.phase.final for task in waiting):
            self._release(group)

    def _release(self, group: str) -> None:
        if group in self._groups:
            self._groups[group] = self._groups[group]._replace(released=True)
        for inner in self._inner(group):
            self._release(inner)

    def _members(self, group: str) -> list[Record]:
        return [task for task in self._tasks.values() if task.group == group]

    def _inner(self, group: str) -> Groups:
        return {id: state for id, state in self._groups.items() if state.group.outer == group}

    # whole workflows

    def insert(self, graph: Graph, records: Sequence[Record]) -> None:
        """Put the `records` of the messages of `graph` in their places."""
        for record, place in zip(records, graph.places, strict=True):
            id = record.message.id
            if id in self._tasks:
                continue
            self._places[id] = place
            phase = record.phase if place.waits is None else Phase.WAITING
            after = record._replace(phase=phase, waits=place.waits, barrier=place.barrier)
            after = after._replace(on_failure=place.on_failure)
            self._put(after._replace(group=place.group, position=place.position))
        for group in graph.groups:
            self._groups.setdefault(group.id, StoredGroup(group))

    def replace(self, id: str, after: Place) -> None:
        """The end of a task waits for that of what goes on in its place."""
        place = self._places.get(id, _NO_PLACE)
        old = place.waits if place.barrier else None
        if after.waits is not None:
            place = place._replace(waits=after.waits, barrier=after.barrier)
        record = self._tasks[id]._replace(waits=place.waits, barrier=place.barrier, on_failure=0)
        self._put(record)
        self._places[id] = place._replace(takes=after.takes, on_failure=0, followed=True)
        if old is not None:
            self.release(old)

    def unskip(self, id: str) -> None:
        """What was skipped for a revived task waits again."""
        for name, state in self._groups.items():
            if state.blame == id:
                self._groups[name] = StoredGroup(state.group)
        for record in list(self._tasks.values()):
            if record.phase is Phase.SKIPPED and record.woken_by == id:
                again = record._replace(phase=Phase.WAITING, woken_by=None)
                self._put(again._replace(finished=None, keep_until=None))

    def tied(self, id: str) -> bool:
        """Whether somebody wants to know when it ends."""
        place = self._places.get(id, _NO_PLACE)
        return bool(place.followed or place.barrier or place.group)

    def needed(self, record: Record) -> bool:
        """Whether what a task came to is still to be handed on."""
        after = (record.message.id, False)
        waiters = [n for n, p in self._places.items() if (p.waits, p.barrier) == after]
        state = self._groups.get(record.group or "")
        held = state is not None and not state.released
        return held or not all(self._tasks[name].phase.final for name in waiters)

    # who belongs together

    def followers(self, id: str, *, barrier: bool) -> list[str]:
        """Those that wait or waited for it, in the order they were sent."""
        return [name for name in self._tasks if self._waits(name) == (id, barrier)]

    def members(self, group: str) -> Members:
        """What is in a group."""
        tasks = sorted(self._members(group), key=lambda task: task.position)
        inner = sorted(self._inner(group).items(), key=lambda each: each[1].group.position)
        state = self._groups.get(group)
        outer = state.group.outer if state else None
        return Members([task.message.id for task in tasks], [id for id, _ in inner], outer)

    def _waits(self, id: str) -> tuple[str | None, bool]:
        place = self._places.get(id, _NO_PLACE)
        return place.waits, place.barrier

    # what it takes

    def inputs(self, id: str) -> Any:
        """What a claimed task takes from what it waited for."""
        place = self._places.get(id, _NO_PLACE)
        if place.waits is None or not (place.takes or place.on_failure):
            return None
        if place.barrier:
            return self._all(place.waits)
        record = self._tasks.get(place.waits)
        if record is None:
            return None
        return self._failure(record) if place.on_failure else _input(record)

    def _all(self, group: str) -> list[Any]:
        found = [(task.position, self._cause(task)) for task in self._members(group)]
        more = [(s.group.position, self._all(id)) for id, s in self._inner(group).items()]
        return [each for _, each in sorted([*found, *more], key=lambda member: member[0])]

    def _failure(self, record: Record) -> Input:
        return self._cause(record)._replace(blame=record.woken_by, message=tuple(record.message))

    def _cause(self, record: Record) -> Input:
        """What a task came to; of one that was skipped, what that is due to."""
        cause = record
        if record.phase is Phase.SKIPPED and record.woken_by is not None:
            cause = self._tasks.get(record.woken_by, record)
        return _input(cause)._replace(phase=record.phase)


def ended(record: Record) -> Ended:
    """What the walk has to know of a task that has ended."""
    barrier = record.waits if record.barrier else None
    told = record.reported is not None
    return Ended(record.message.id, record.phase, record.group, barrier, record.keep_until, told)


def _waits(place: Place, group: str) -> bool:
    return place.barrier and place.waits == group


def _input(record: Record) -> Input:
    return Input(record.phase, record.result_serializer, record.result, record.traceback)
