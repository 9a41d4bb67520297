"""The verbs about tasks that run: how far they have come, and whether they are to end."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..model.message import Receipt

if TYPE_CHECKING:  # programs that only send do without it
    from ..model.progress import Progress, ProgressReport


class LateEnd(NamedTuple):
    """What a worker got of a run when it had lost its claim."""

    receipt: Receipt
    id: str
    at: float  # when that was, in epoch seconds
    what: str  # in words, or a traceback


LATE = "late"
"""Say how an attempt ended whose worker had lost the claim, and came back with an outcome."""

SUSPENDED = ("snoozed", "slept", "awaited", "gathered")
"""Say how the runs of tasks end that go on later: until then, what they had done counts."""


class Running(ABC):
    """The part of the port that is about tasks while they run."""

    @abstractmethod
    def report_progress(self, reports: "Sequence[ProgressReport]") -> None:
        """Store how far claimed tasks have come, each in place of what it had reported before.

        Reports of claims that were lost are dropped. It has nothing to do with `report`.
        """

    @abstractmethod
    def progress(self, ids: Sequence[str]) -> "list[Progress | None]":
        """Return how far each of these tasks has come, in order.

        What the last run has reported counts, while that goes on, after it has ended the task, and
        until the next run if it has ended as one of SUSPENDED. None for a task that has reported
        nothing in it, and for an unknown one.
        """

    @abstractmethod
    def keep_late(self, worker: int, late: Sequence[LateEnd]) -> None:
        """Keep what a worker got of runs whose claims it had lost, as attempts of their tasks.

        The attempt that says so of this worker ends as `late`, or is added. Nothing else changes,
        and tasks that are gone are ignored. The same call made twice is one.
        """

    @abstractmethod
    def to_end(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """Return those of these claims whose tasks were revoked, or that were lost."""
