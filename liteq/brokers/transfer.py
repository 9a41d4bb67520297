"""Transfers: what moves from one store to another, and what a broker must do for that."""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from math import isnan
from typing import Any, NamedTuple, Self, get_type_hints

from ..model.graph import Group, Place
from ..model.message import Attempt, Record
from .base import Broker

KEEP_ARRIVALS = 30 * 86400.0
"""Seconds for which a store remembers what has arrived and was not confirmed."""

_LARGEST = 2**63  # beyond the integers that every store can keep

_Node = tuple[str, str]  # "task" or "group", and the id


class Transfer(NamedTuple):
    """A task with all that is known of it."""

    record: Record
    place: Place
    attempts: list[Attempt]  # the earlier ones, without the last

    def checked(self) -> Self:
        """Return this transfer. Raises ValueError when a field is not of the type it should be.

        A store may hold what another program wrote, and another store might fail to keep it.
        """
        for part in (self.record.message, self.record, self.place, *self.attempts):
            for name, kind in _types(type(part)).items():
                if not _fits(getattr(part, name), kind):
                    raise ValueError(f"its {name} is {getattr(part, name)!r:.60}")
        return self


class MovedGroup(NamedTuple):
    """A group with its state."""

    group: Group
    closed: float | None  # when its last member ended
    blame: str | None  # a member that failed
    released: bool  # the results of its members are not needed any more


class Left(NamedTuple):
    """A task that stays where it is."""

    id: str
    why: str
    place: Place


class Arrival(NamedTuple):
    """A task or a group that came from another store, which may still have it.

    An id may be used again once its task is forgotten, so a task is known by the time at which it
    was sent as well.
    """

    id: str
    created: float | None  # None: it is a group


class TransferBatch(NamedTuple):
    """Tasks and groups that are moved in one step."""

    transfers: list[Transfer]
    groups: list[MovedGroup]
    left: Sequence[Left] = ()  # those that cannot be read

    @property
    def arrivals(self) -> list[Arrival]:
        """Return what the other store is to remember of this batch."""
        records = (transfer.record for transfer in self.transfers)
        tasks = [Arrival(record.message.id, record.created) for record in records]
        return [*tasks, *(Arrival(moved.group.id, None) for moved in self.groups)]

    def leaving(self, left: Sequence[Left]) -> Self:
        """Return the batch without `left`, and without all that is in a workflow with these.

        Its own `left` are then all tasks that stay.
        """
        if not left:
            return self
        blamed = self._blamed(left)
        known = {each.id for each in left}
        others = [
            Left(id, f"it is in a workflow with {blamed['task', id]}, which stays", each.place)
            for each in self.transfers
            if ("task", id := each.record.message.id) in blamed and id not in known
        ]
        return self._replace(
            transfers=[t for t in self.transfers if ("task", t.record.message.id) not in blamed],
            groups=[moved for moved in self.groups if ("group", moved.group.id) not in blamed],
            left=[*left, *others],
        )

    def _blamed(self, left: Sequence[Left]) -> dict[_Node, str]:
        """Return all that is in a workflow with one of `left`, by the id of that one."""
        neighbours = defaultdict(list)
        for one, other in self._links(left):
            neighbours[one].append(other)
            neighbours[other].append(one)
        found: dict[_Node, str] = {}
        pending: list[tuple[_Node, str]] = [(("task", each.id), each.id) for each in left]
        while pending:
            node, id = pending.pop()
            if node not in found:
                found[node] = id
                pending += ((each, id) for each in neighbours[node])
        return found

    def _links(self, left: Sequence[Left]) -> Iterator[tuple[_Node, _Node]]:
        """Yield what waits for what, and what is a member of what."""
        places = [(each.record.message.id, each.place) for each in self.transfers]
        for id, place in [*places, *((each.id, each.place) for each in left)]:
            if place.waits is not None:
                yield ("task", id), ("group" if place.barrier else "task", place.waits)
            if place.group is not None:
                yield ("task", id), ("group", place.group)
        for group, *_ in self.groups:
            if group.outer is not None:
                yield ("group", group.id), ("group", group.outer)


class Movable(Broker):
    """A broker that tasks can be moved from and to.

    The verbs raise the same errors as those of every broker. A move may be interrupted between any
    two of them, and may be begun again: for each batch the target unpacks, the source discards, and
    the target confirms. What has arrived and was not confirmed is discarded by the source first.
    """

    @abstractmethod
    def pack(self, size: int) -> Iterator[TransferBatch]:
        """Yield all that does not run, in batches.

        First single tasks, up to `size` at a time and oldest first; then all workflows at once,
        unless something of them runs. The caller discards of each batch what it moves, before the
        next. Tasks that are not genuine, or cannot be read, are in `left`.
        """

    @abstractmethod
    def unpack(self, batch: TransferBatch) -> None:
        """Store a batch as it is, except for known ids.

        All of it is remembered as arrived, in the same transaction; if the store takes it in
        steps, it is all or nothing that arrives.
        """

    @abstractmethod
    def arrived(self) -> list[Arrival]:
        """Return what was unpacked here in the last 30 days and is not confirmed."""

    @abstractmethod
    def confirm(self, arrivals: Sequence[Arrival]) -> None:
        """Forget that these arrived: the other store has discarded them."""

    @abstractmethod
    def discard(self, arrivals: Sequence[Arrival]) -> None:
        """Delete what has arrived elsewhere, except for tasks that run by now, and their groups."""


def unreadable(exc: Exception) -> str:
    """Return why a task cannot be read."""
    return f"it cannot be read: {type(exc).__name__}: {exc!s:.100}"


@cache
def _types(part: type) -> dict[str, Any]:
    return get_type_hints(part)


def _fits(value: Any, kind: Any) -> bool:
    match value:
        case int():  # a file has 1 for True, and may have 1 for 1.0
            fits = isinstance(value, kind) or kind in (bool, float, float | None)
            return fits and -_LARGEST <= value < _LARGEST
        case float():
            return isinstance(value, kind) and not isnan(value)  # which SQLite stores as null
        case str():
            value.encode()  # raises ValueError for half a surrogate pair
            return isinstance(value, kind)
        case _:
            return isinstance(value, kind)
