"""What goes from one store to another, and what a store must be able to do for that."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from ..model.graph import Group, Place
from ..model.message import Attempt, Record
from .base import Broker


class Transfer(NamedTuple):
    """A task with all that is known of it."""

    record: Record
    place: Place
    attempts: list[Attempt]  # that are over, without the last one


class MovedGroup(NamedTuple):
    """A group, and what has become of it."""

    group: Group
    closed: float | None  # when its last member ended
    blame: str | None  # a member that failed
    released: bool  # nobody needs its members' results any more


class TransferBatch(NamedTuple):
    """What goes in one step."""

    transfers: list[Transfer]
    groups: list[MovedGroup]


class Movable(Broker):
    """A store that tasks can be moved from and to."""

    @abstractmethod
    def pack(self, size: int) -> Iterator[TransferBatch]:
        """All that does not run: tasks by themselves, up to `size` at a time, oldest first; then
        what belongs to workflows, all at once, unless something of it runs."""

    @abstractmethod
    def unpack(self, batch: TransferBatch) -> int:
        """Store it as it is; answer how many tasks were new. Known ids are left as they are."""

    @abstractmethod
    def discard(self, batch: TransferBatch) -> None:
        """Drop what was packed, unless it runs by now."""
