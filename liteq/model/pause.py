"""Pauses: what workers do not take for now, and what those that are up do not know."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

KEEP, SKIP = "keep", "skip"
SCHEDULES = (KEEP, SKIP)
"""What periodic entries do that send what is paused: send it, or pass that run over."""


class PauseKind(StrEnum):
    """The kinds of things that can be paused."""

    STORE = "store"  # all tasks
    QUEUE = "queue"
    TASK = "task"  # all tasks of a name


class Pause(NamedTuple):
    """A pause: since then no worker takes such tasks. Those that run end normally."""

    kind: str  # one of PauseKind
    name: str  # of the queue, or of the task; empty: the whole store
    since: float = 0.0  # epoch seconds
    schedules: str = KEEP

    def concerns(self, queue: str, task: str) -> bool:
        """Return whether tasks of that queue and that name are paused by this."""
        match self.kind:
            case PauseKind.STORE:
                return True
            case PauseKind.QUEUE:
                return self.name == queue
            case PauseKind.TASK:
                return self.name == task
        return False  # a kind that only a newer version has

    @property
    def what(self) -> str:
        """Return in words what is paused."""
        match self.kind:
            case PauseKind.STORE:
                return "the whole store"
            case PauseKind.QUEUE:
                return f"the queue {self.name!r}"
        return f"the task {self.name!r}"


class LeftTasks(NamedTuple):
    """Ready tasks of one name in one queue that a worker left, as it does not know them."""

    queue: str
    task: str  # their name
    tasks: int  # how many there are
    since: float  # when a worker did so first; epoch seconds


def stored_pause(kind: str, name: str, since: object, schedules: object) -> Pause:
    """Return a pause that was read. Other programs may have written when, and what schedules do."""
    try:
        when = float(since) if isinstance(since, str | int | float) else 0.0
    except ValueError:
        when = 0.0
    return Pause(kind, name, when, SKIP if schedules == SKIP else KEEP)


def pause_of(pauses: Iterable[Pause], queue: str, task: str) -> Pause | None:
    """Return the pause that tasks of that queue and that name wait for; None if none does."""
    found = [each for each in pauses if each.concerns(queue, task)]
    return min(found, key=lambda each: each.since, default=None)
