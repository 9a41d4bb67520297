"""Transfers: what moves from one store to another, and what a broker must do for that."""

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
    attempts: list[Attempt]  # the earlier ones, without the last


class MovedGroup(NamedTuple):
    """A group with its state."""

    group: Group
    closed: float | None  # when its last member ended
    blame: str | None  # a member that failed
    released: bool  # the results of its members are not needed any more


class TransferBatch(NamedTuple):
    """Tasks and groups that are moved in one step."""

    transfers: list[Transfer]
    groups: list[MovedGroup]


class Movable(Broker):
    """A broker that tasks can be moved from and to.

    The verbs raise the same errors as those of every broker.
    """

    @abstractmethod
    def pack(self, size: int) -> Iterator[TransferBatch]:
        """Yield all that does not run, in batches.

        First single tasks, up to `size` at a time and oldest first; then all workflows at once,
        unless something of them runs. The caller discards each batch before the next.
        """

    @abstractmethod
    def unpack(self, batch: TransferBatch) -> None:
        """Store a batch as it is, except for known ids."""

    @abstractmethod
    def discard(self, batch: TransferBatch) -> None:
        """Delete what was packed, except for tasks that run by now."""
