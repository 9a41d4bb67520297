"""Durable steps of tasks, and events: what a task has done, or waits for, under a name of its own.

A task that runs again finds its finished steps in the store and does not repeat them.
"""

from enum import StrEnum
from typing import NamedTuple


class StepKind(StrEnum):
    """The kinds of steps."""

    STEP = "step"  # a function was called
    SLEEP = "sleep"  # until a moment
    WAIT = "wait"  # for an event, whose key is the name of the step
    GATHER = "gather"  # for tasks that it has sent


class Step(NamedTuple):
    """One step of a task; its name is unique in the task."""

    name: str
    kind: str  # a StepKind; or one that only a newer version has
    at: float  # when it ended, in epoch seconds; when it began, if it has not ended
    until: float | None = None  # SLEEP: when it ends; WAIT: when it ends without the event
    value: bytes | None = None  # encoded; of a GATHER that goes on, what it waits for, as JSON
    serializer: str | None = None  # None: it has no value, or none yet
    failed: bool = False  # GATHER: the value is the error of one of its tasks

    def ended(self, now: float) -> bool:
        """Return whether the step has ended by `now`, in epoch seconds."""
        return self.serializer is not None or (self.until is not None and self.until <= now)


class Event(NamedTuple):
    """An event, as the first `emit` of its key has stored it."""

    key: str
    value: bytes
    serializer: str
    at: float  # epoch seconds
    keep_until: float | None  # when it may be deleted, and counts no longer; None: never
    id: str  # of this call of `emit`, by which it is known if it is made once more

    def is_kept(self, now: float) -> bool:
        """Return whether the event still counts, at `now` in epoch seconds."""
        return self.keep_until is None or self.keep_until > now
