"""The stored form of a periodic task: its `Entry`, and the `Firing` of one run.

The message in an entry is made together with it, and its arguments are bytes, so a scheduler needs
neither the application nor its code.
"""

from enum import Enum
from typing import NamedTuple

from .message import Message

MISFIRES = ("once", "skip", "all")
"""The ways to treat missed runs: one run for all of them, none, or one for each."""


class Entry(NamedTuple):
    """A task that runs by a schedule. All times are epoch seconds."""

    name: str
    schedule: str  # as `schedules.to_text` writes it
    message: Message  # the message of each run, without its id and eta
    moment: float | None = None  # the next time of the schedule; None: there is none
    due: float | None = None  # `moment` with jitter, when it fires; None: never, or paused
    planned: float = 0.0  # when `moment` and `due` were computed
    version: int = 0  # set by the store, different after each change; 0: not stored yet
    app: str | None = None  # the application that defines it in code; None: added at run time
    paused: bool = False
    runs: int = 0
    last: float | None = None  # the `moment` of the last run
    last_id: str | None = None  # the id of the last run's task
    misfire: str = "once"  # one of MISFIRES
    grace: float | None = None  # seconds that a run may start late; None: no limit
    overlap: bool = True  # False: no new run while the last one has not ended
    jitter: float = 0.0  # most seconds of a random delay
    expires: float | None = None  # seconds after which a run is no longer started
    undeclared: bool = False  # the code of `app` does not define it any more, or so it seems


class Firing(NamedTuple):
    """One step of an entry: the store replaces it by `entry`, and enqueues `message`."""

    entry: Entry  # with the version that it replaces
    message: Message | None  # None: this run is skipped


class Fired(Enum):
    """The effect of a firing on the store."""

    DONE = "done"
    HELD = "held"  # the entry was replaced, but nothing enqueued: its last run has not ended
    PAUSED = "paused"  # likewise: its queue or its task is paused, and passes runs over
    STALE = "stale"  # nothing was done: the entry had been changed meanwhile
