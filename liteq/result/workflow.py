"""The tasks of a store that belong to one workflow."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..brokers.base import Broker
from ..model.graph import Members
from ..model.message import Record
from ..model.options import options_of
from ..model.search import EVERYTHING
from ..states import Phase
from .group_result import ACCUMULATE

_UNFINISHED = [phase for phase in Phase if not phase.final]
_BATCH = 1000  # tasks that are looked at together
_HAS_NOT_RUN = (Phase.WAITING, Phase.CANCELLED)


class Workflow(NamedTuple):
    """A workflow: the records of its tasks in the order they were sent, and its groups by id."""

    records: list[Record]
    groups: dict[str, Members]
    more: bool  # it has more tasks than the limit

    def before(self, record: Record) -> list[str]:
        """Return the ids of the tasks that this one waits for."""
        if record.waits is None:
            return []
        known = {each.message.id for each in self.records}
        ids = self._tasks(record.waits) if record.barrier else [record.waits]
        return [id for id in ids if id in known]

    def _tasks(self, group: str) -> list[str]:
        """Return the ids of the tasks of a group, and of the groups in it."""
        found, groups = [], [group]
        while groups:
            members = self.groups.get(groups.pop(), Members([], []))
            found += members.tasks
            groups += members.groups
        return found


def workflow_of(broker: Broker, id: str, limit: int) -> Workflow:
    """Return the workflow of the task `id`, with at most `limit` tasks; empty for an unknown id."""
    search = _Search(broker)
    search.tasks.append(id)
    found = search.run(limit)
    found.sort(key=lambda record: record.created)
    return Workflow(found, search.groups, bool(search.tasks))


def with_those_before(broker: Broker, ids: Iterable[str]) -> list[str]:
    """Return `ids`, and before them those of the tasks for whose end these tasks still wait.

    The id of a group stands for its members. Where a task was revoked while it waited, so do those
    that it waited for: they go on.
    """
    asked = list(dict.fromkeys(ids))
    groups = set[str]()
    asked = [*asked, *_members_of_groups(broker, asked, groups)]
    seen = set(asked)
    found: list[str] = []
    newest = asked
    while newest:
        before: dict[str, None] = {}
        for record in broker.fetch(newest):
            if record is None or record.phase not in _HAS_NOT_RUN or record.waits is None:
                continue
            if record.barrier:
                before |= dict.fromkeys(_all_members(broker, record.waits, groups))
            else:
                before[record.waits] = None
        newest = [id for id in before if id not in seen]
        seen.update(newest)
        found += newest
    return [*reversed(found), *asked]


def _members_of_groups(broker: Broker, ids: Sequence[str], seen: set[str]) -> list[str]:
    """Return the ids of the tasks in those of `ids` that are no tasks but groups, if any."""
    unknown = {
        id
        for id, record in zip(ids, broker.fetch(ids), strict=True)
        if record is None or record.message.task == ACCUMULATE  # that one is of `GroupResult.save`
    }
    awaited = {id: members for id in unknown if (members := _all_members(broker, id, seen))}
    found = [member for members in awaited.values() for member in members]
    unknown -= awaited.keys()
    # A group for which nothing waits is stored with its members only.
    search = EVERYTHING
    while unknown and (records := broker.listing(_UNFINISHED, _BATCH, search)):
        search = search._replace(beyond=records[-1].seq)
        messages = [record.message for record in records]
        found += [each.id for each in messages if options_of(each).get("group_id") in unknown]
    return found


def _all_members(broker: Broker, group: str, seen: set[str]) -> list[str]:
    """Return the ids of the tasks in a group and in the groups in it, leaving out those `seen`."""
    ids, groups = [], [group]
    while groups:
        name = groups.pop()
        if name not in seen:
            seen.add(name)
            members = broker.members(name)
            ids += members.tasks
            groups += members.groups
    return ids


class _Search:
    """A search that goes from a task to those it waits for, those that wait for it, and those of
    its groups."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.tasks: deque[str] = deque()
        self.groups: dict[str, Members] = {}
        self._seen: set[str] = set()

    def run(self, limit: int) -> list[Record]:
        found: list[Record] = []
        while self.tasks and len(found) < limit:
            id = self.tasks.popleft()
            if id in self._seen:
                continue
            self._seen.add(id)
            (record,) = self._broker.fetch([id])
            if record is not None:
                found.append(record)
                self._add_neighbours(record)
        self.tasks = deque(id for id in self.tasks if id not in self._seen)
        return found

    def _add_neighbours(self, record: Record) -> None:
        self.tasks += self._broker.dependents(record.message.id)
        if record.group is not None:
            self._add_group(record.group)
        if record.waits is not None:
            if record.barrier:
                self._add_group(record.waits)
            else:
                self.tasks.append(record.waits)

    def _add_group(self, group: str) -> None:
        groups: list[str] = [group]
        while groups:
            name = groups.pop()
            if name in self.groups:
                continue
            members = self.groups[name] = self._broker.members(name)
            self.tasks += [*members.tasks, *self._broker.dependents(name, group=True)]
            groups += members.groups
            if members.outer is not None:
                groups.append(members.outer)


def started_by(broker: Broker, record: Record) -> Sequence[str]:
    """Return the ids of the tasks that the end of `record` started."""
    ids = broker.dependents(record.message.id)
    group = record.group
    while group is not None:
        bodies = broker.dependents(group, group=True)
        found = (each for each in broker.fetch(bodies) if each is not None)
        ids += [each.message.id for each in found if each.woken_by == record.message.id]
        group = None if bodies else broker.members(group).outer
    return ids
