"""The part of the port about tasks that are ready and that no worker is handed: because they are
paused, or because no worker that looks for some knows them."""

from abc import ABC, abstractmethod

from ..model.pause import LeftTasks, Pause

BREAK = "\n"
"""What stands between a queue and the name of a task where tasks are kept that claims pass over: in
a queue of their own. No name of a queue has one."""


def queue_of(stored: str) -> str:
    """Return the queue of a task, from the one in which it is kept."""
    return stored.partition(BREAK)[0]


class Pausing(ABC):
    """The verbs about pauses, and about tasks that workers leave.

    `claim` hands out nothing that is paused. To a worker whose `info` says `"claims": "known"` it
    hands out only tasks that are in the list `tasks` there: others stay READY, and come behind none
    of them. All such tasks can be cancelled, purged and moved as any that are READY.
    """

    @abstractmethod
    def pause(self, pause: Pause) -> bool:
        """Store `pause`, and return whether there was none of its kind and name.

        What is paused already stays so since when it was, with the new `schedules`. No claim that
        begins after the return hands out what is paused.
        """

    @abstractmethod
    def resume(self, kind: str, name: str) -> bool:
        """Delete a pause, and notify workers; return whether there was one."""

    @abstractmethod
    def pauses(self) -> list[Pause]:
        """Return all pauses, by kind and name."""

    @abstractmethod
    def left(self) -> list[LeftTasks]:
        """Return what workers have left that do not know it, and what still waits of it.

        By queue and name. Tasks behind others that were not claimed yet may be missing.
        """

    @abstractmethod
    def expire(self, limit: int, keep: float | None) -> bool:
        """End READY tasks as EXPIRED that have expired, and that no claim hands out: since they are
        paused, or were left.

        They are kept for `keep` seconds (None: for ever). It looks at up to `limit` such tasks, and
        at the next ones when it is called again; return whether there are none behind them.
        """
