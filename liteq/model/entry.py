"""What is kept of a periodic task: an `Entry`, and the `Firing` that goes with its next step.

The message in it is made when the entry is: its arguments are bytes, so whoever fires it needs
neither the application nor its code.
"""

from enum import Enum
from typing import NamedTuple

from .message import Message

MISFIRES = ("once", "skip", "all")
"""What to do about moments that were missed: run once for all of them, not at all, or for each."""


class Entry(NamedTuple):
    """A task that is to run again and again. All times are seconds since the epoch."""

    name: str
    schedule: str  # as `schedules.to_text` writes it
    message: Message  # what is sent, but for what belongs to one run: id, eta
    moment: float | None = None  # of the schedule, which it fires for next; None: never again
    due: float | None = None  # when it does so, jitter included; None: never, or it is paused
    planned: float = 0.0  # when these two were decided
    version: int = 0  # the store's, and other after each change; 0: not stored yet
    app: str | None = None  # the application whose code has it; None: it was added at run time
    paused: bool = False
    runs: int = 0
    last: float | None = None  # the moment that it fired for last
    last_id: str | None = None  # and the id of that task
    misfire: str = "once"
    grace: float | None = None  # seconds late that a run may begin; None: any
    overlap: bool = True  # False: not while the last run has not ended
    jitter: float = 0.0  # seconds: up to so much later
    expires: float | None = None  # seconds after which a run is not started any more


class Firing(NamedTuple):
    """One step of an entry: it is replaced by `entry`, and `message` is sent."""

    entry: Entry  # with the version that the present one has
    message: Message | None  # None: this moment is passed over


class Fired(Enum):
    """What became of a firing."""

    DONE = "done"
    HELD = "held"  # the entry went on, but nothing was sent: its last run has not ended
    LOST = "lost"  # nothing was done: somebody else was faster
