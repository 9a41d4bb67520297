"""Transfers: what moves from one store to another, and what a broker must do for that."""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

from ..model.checks import (
    FLAG,
    MAYBE_TEXT,
    TEXT,
    TIME,
    Shape,
    check_attempt,
    check_group,
    check_output,
    check_place,
    check_record,
    check_step,
    check_storable,
)
from ..model.graph import Group, Place
from ..model.message import Attempt, Message, Record
from ..model.options import with_options_of_member
from ..model.output import Output
from ..model.step import Event, Step
from .base import Broker
from .stored import StoredSchedules

KEEP_ARRIVALS = 30 * 86400.0
"""Seconds for which a store remembers what has arrived and was not confirmed."""

_GROUP_STATE: Shape = Shape(group=(Group,), closed=TIME, blame=MAYBE_TEXT, released=FLAG)
_ARRIVAL: Shape = Shape(id=TEXT, created=TIME)

_Node = tuple[str, str]  # "task" or "group", and the id


class Transfer(NamedTuple):
    """A task with all that is known of it."""

    record: Record
    place: Place
    attempts: list[Attempt]  # the earlier ones, without the last
    steps: Sequence[Step] = ()
    outputs: Sequence[Output] = ()  # what it has printed, in order

    def with_own_options(self, shared: Mapping[str, str | None]) -> Self:
        """Return this transfer with the options of its group, which are in `shared`, as its own."""
        message = with_options_of_member(self.record.message, self.place.member(shared))
        return self._replace(record=self.record._replace(message=message))

    def checked(self) -> Self:
        """Return this transfer. Raises InvalidTaskError when another store could not keep it.

        A store may hold what another program wrote.
        """
        record, place, attempts, steps, outputs = self
        check_record(record)
        check_place(place)
        check_storable(Message._fields, record.message)
        check_storable(Record._fields, record)
        check_storable(Place._fields, place)
        for attempt in attempts:
            check_attempt(attempt)
            check_storable(Attempt._fields, attempt)
        for step in steps:
            check_step(step)
        for output in outputs:
            check_output(output)
        return self


class MovedGroup(NamedTuple):
    """A group with its state."""

    group: Group
    closed: float | None  # when its last member ended
    blame: str | None  # a member that failed
    released: bool  # the results of its members are not needed any more

    def checked(self) -> Self:
        """Return this group. Raises InvalidTaskError when another store could not keep it."""
        check_group(self.group)
        _GROUP_STATE.check(self)
        check_storable(Group._fields, self.group)
        check_storable(self._fields, self)
        return self


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

    def checked(self) -> Self:
        """Return this arrival. Raises InvalidTaskError when liteq cannot have written it."""
        _ARRIVAL.check(self)
        check_storable(self._fields, self)
        return self


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

    def with_own_options(self) -> Self:
        """Return the batch with the options of each group in the messages of its members."""
        shared = {moved.group.id: moved.group.options for moved in self.groups}
        transfers = [each.with_own_options(shared) for each in self.transfers]
        groups = [each._replace(group=each.group._replace(options=None)) for each in self.groups]
        return self._replace(transfers=transfers, groups=groups)

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
    the target confirms. What has arrived and was not confirmed is discarded by the source first,
    and the target confirms what the source had of it: other stores may still have the rest.
    """

    def is_same_store(self, other: "Movable") -> bool:
        """Return whether `other` is a broker of the same store, so that nothing is to be moved."""
        return self.address == other.address

    @abstractmethod
    def pack(self, size: int) -> Iterator[TransferBatch]:
        """Yield all that does not run, in batches.

        First single tasks, up to `size` at a time and oldest first; then all workflows at once,
        unless something of them runs. The caller discards of each batch what it moves, before the
        next. Tasks that are not genuine, or cannot be read, are in `left`.
        """

    @abstractmethod
    def pack_schedules(self) -> StoredSchedules:
        """Return all schedules."""

    @abstractmethod
    def pack_events(self) -> list[Event]:
        """Return the events that count still, but for those that cannot be read."""

    @abstractmethod
    def unpack(self, batch: TransferBatch) -> None:
        """Store a batch as it is, except for known ids, and for events that are known here.

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
    def discard(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Delete what has arrived elsewhere, except for tasks that run by now, and their groups.

        Returns what was deleted. That it once arrived here is forgotten in the same transaction:
        should it come back to the store that it came from, it is the only one.
        """


def unreadable(exc: Exception) -> str:
    """Return why a task cannot be read."""
    return f"it cannot be read: {type(exc).__name__}: {exc!s:.100}"


def batch_of(
    found: Iterable[Transfer | Left], groups: Mapping[Any, MovedGroup | None]
) -> TransferBatch:
    """Return what was found as a batch; None is a group that cannot be read."""
    broken = {id for id, moved in groups.items() if moved is None}
    transfers: list[Transfer] = []
    left: list[Left] = []
    for each in found:
        place = each.place
        if isinstance(each, Left):
            left.append(each)
        elif place.group in broken or (place.barrier and place.waits in broken):
            why = "the group that it is in, or waits for, cannot be read"
            left.append(Left(each.record.message.id, why, place))
        else:
            transfers.append(each)
    return TransferBatch(transfers, [moved for moved in groups.values() if moved], left)
