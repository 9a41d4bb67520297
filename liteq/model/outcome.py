"""The outcome of a run, and the settlement that is written to the store."""

from enum import StrEnum
from typing import NamedTuple

from ..states import Phase
from .graph import Graph, Place
from .message import Message, Receipt
from .output import Output
from .step import Step


class Kind(StrEnum):
    """The ways a run can end."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRY = "retry"  # the task asked to run again
    IGNORED = "ignored"  # the task asked for no result to be stored
    REJECTED = "rejected"
    REPLACED = "replaced"  # other tasks run in its place
    REQUEUED = "requeued"  # rejected, and to be delivered again
    UNKNOWN = "unknown"  # no such task is registered in the child
    LEFT = "left"  # the same, but another worker has registered it
    SNOOZED = "snoozed"  # the task put itself back for a while
    SLEPT = "slept"  # it sleeps, and runs again when that is over
    AWAITED = "awaited"  # it waits for an event
    GATHERED = "gathered"  # it waits for tasks that are stored along with it
    LOST = "lost"  # the process died
    OVERDUE = "overdue"  # its process was killed for the hard time limit
    TERMINATED = "terminated"  # its process was killed because the task was revoked
    EXPIRED = "expired"  # it was not started before its expiry


class Outcome(NamedTuple):
    """The outcome of one run, as the child reports it; values are encoded."""

    kind: Kind
    result: bytes | None = None  # the value or the error
    serializer: str | None = None
    runtime: float = 0.0  # seconds
    note: str = ""  # a bounded line for logs: the value's repr, or the error
    traceback: str | None = None
    eta: float | None = None  # RETRY, LEFT, SNOOZED, SLEPT: epoch seconds of the next attempt;
    # AWAITED: when it goes on without the event
    message: Message | None = None  # RETRY, GATHERED: the message of the next attempt, if it
    # differs; REPLACED: the message of the task that ends in its place
    expected: bool = False  # FAILED: with an error that the task `throws`
    graph: Graph | None = None  # REPLACED: the other tasks; GATHERED: the tasks that it waits for
    place: Place | None = None  # REPLACED: the place of `message`; GATHERED: that of the task
    exhausted: bool = False  # FAILED: it would be retried, but no retries are left
    reported: str | None = None  # IGNORED: the state that the task set; `result` is its meta
    step: Step | None = None  # SLEPT, AWAITED, GATHERED: the step that goes on
    settled: bool = False  # SUCCEEDED: the store has it already, by the task's own transaction


class Settlement(NamedTuple):
    """The changes to one claimed task, which a broker writes in one transaction."""

    receipt: Receipt
    phase: Phase  # RUNNING: the task goes on, and only its `steps` and `output` are written
    at: float  # epoch seconds
    result: bytes | None = None
    result_serializer: str | None = None
    traceback: str | None = None
    keep_until: float | None = None  # final phases: when it may be deleted; None: never
    retry: Message | None = None  # READY, SCHEDULED, WAITING: the message of the next attempt
    lost: int = 0  # how many processes have died while running it
    reported: str | None = None  # SUCCEEDED: it was ignored, with this state; RETRY keeps nothing
    tied: bool = False  # it has dependents, or is in a group
    graph: Graph | None = None  # with `retry`: the workflow to store along with it
    place: Place | None = None  # with `retry`, WAITING: its new place in the workflow
    old_place: Place | None = None  # the place that its delivery named
    why: str = ""  # with `retry`: how this attempt ended, for the task's history
    steps: tuple[Step, ...] | None = ()  # to be stored; None: all it has are forgotten, as other
    # code runs under its id
    event: str | None = None  # with `retry`: the key of the event that wakes it; if that was
    # emitted already, the task is READY and the step of this name has its value
    keeps_report: bool = False  # with `retry`: the state and the meta that it reported stay
    output: Output | None = None  # RUNNING, and no steps: lines that the task has printed


class Policy(NamedTuple):
    """A worker's rules for how long tasks are kept, and how often their process may die."""

    keep: float | None = 86400.0  # seconds that a finished task is kept; None: for ever
    keep_dead: float | None = 30 * 86400.0  # the same for one that was set aside as dead
    max_lost: int = 3  # processes that may die while running a task, before it is set aside

    def kept_until(self, phase: Phase, now: float) -> float | None:
        """Return when a task that ends in `phase` at `now` may be deleted; None for never."""
        keep = self.keep_dead if phase is Phase.DEAD else self.keep
        return None if keep is None else now + keep
