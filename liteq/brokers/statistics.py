"""Define the verbs of statistics: how tasks ended, minute by minute. They outlive the tasks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ..model.message import Receipt
from ..model.stat import Stat


class Statistics(ABC):
    """Keep how tasks ended. Nothing that becomes of a task depends on it."""

    @abstractmethod
    def waited(self, receipts: Sequence[Receipt]) -> list[float | None]:
        """Return how long each task waited for its last start, from when it could have begun.

        In seconds; None where that is not known (any more). Tokens do not count.
        """

    @abstractmethod
    def count(self, stats: Sequence[Stat], call: str) -> None:
        """Add to the statistics, and delete those that are too old, see `KEPT`.

        `call`: an id; a call that is made again because no answer came has the same.
        """

    @abstractmethod
    def statistics(self, seconds: int, since: float, until: float) -> list[Stat]:
        """Return what there is of the periods of `seconds` that began from `since` on.

        `until`: before which they began; both are epoch seconds. The oldest first. What cannot be
        read is left out.
        """
