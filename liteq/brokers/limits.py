"""The verbs of limits: what users set about how many tasks of a key may run, or start in a time.

That tasks wait for their limits is part of all other verbs: a task that is to be READY is WAITING
instead, until all of its limits let it pass; `promote` looks at those that wait for a rate. It is
under them from then on, until it has ended or runs later; then it asks once more. See admission.py.
"""

from abc import ABC, abstractmethod

from ..model.limit import LimitRule, LimitState


class Limits(ABC):
    """The limits of a store. A task has those that its message names, see `model.limit`."""

    @abstractmethod
    def set_limit(self, key: str, rule: LimitRule, *, fixed: bool) -> None:
        """Set the numbers of a limit; of all that have this name, if `{}` is in it.

        With `fixed` they stay; otherwise they are those of the code once more, which each task that
        is sent brings along. Tasks that have passed and not started wait once more.
        """

    @abstractmethod
    def hold_limit(self, key: str, until: float | None) -> None:
        """Let no task pass a limit before a moment; None: end that.

        Tasks that have passed and not started wait once more.
        """

    @abstractmethod
    def limits(self) -> list[LimitState]:
        """Return all limits that are in use, or were set or held, by their keys."""
