"""What a run came to, and what is to be written of it."""

from enum import StrEnum
from typing import Any, NamedTuple

from ..states import Phase
from .graph import Graph, Place
from .message import Message, Receipt


class Kind(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRY = "retry"  # the task asked to run again
    IGNORED = "ignored"  # the task wants nothing stored
    REJECTED = "rejected"
    REPLACED = "replaced"  # other tasks go on in its place
    REQUEUED = "requeued"  # rejected, and to be delivered again
    UNKNOWN = "unknown"  # no such task is registered in the child
    LOST = "lost"  # the process died
    OVERDUE = "overdue"  # its process was killed: the hard time limit passed
    TERMINATED = "terminated"  # its process was killed: it was revoked
    EXPIRED = "expired"  # it was not run: too late


class Outcome(NamedTuple):
    """How one run ended, as the child tells it; values are encoded already."""

    kind: Kind
    result: bytes | None = None  # the value or the error
    serializer: str | None = None
    runtime: float = 0.0  # seconds
    note: str = ""  # one bounded line for people: the value's repr, the error
    traceback: str | None = None
    eta: float | None = None  # RETRY: not before
    message: Any = None  # RETRY: the next attempt's, as a tuple, where it is to run otherwise;
    # REPLACED: that of what ends in its place
    expected: bool = False  # FAILED: with an error that the task `throws`
    graph: Any = None  # REPLACED: what runs around it, as `Graph.wire`
    place: Any = None  # REPLACED: what that one waits for, as a tuple
    exhausted: bool = False  # FAILED: it would be tried again, but there are no retries left
    reported: str | None = None  # IGNORED: the state that the task set; `result` is what it said


class Settlement(NamedTuple):
    """What becomes of one claimed task. A broker writes it whole or not at all."""

    receipt: Receipt
    phase: Phase
    at: float
    result: bytes | None = None
    result_serializer: str | None = None
    traceback: str | None = None
    keep_until: float | None = None  # final phases: when it may be forgotten; None: never
    retry: Message | None = None  # READY, SCHEDULED, WAITING: the message of the next attempt
    lost: int = 0  # how many process deaths are charged to it by now
    reported: str | None = None  # SUCCEEDED: it was ignored, with this state; RETRY keeps nothing
    tied: bool = False  # others wait for its end, or for that of its group
    graph: Graph | None = None  # with `retry`: what is stored along with it
    place: Place | None = None  # with `retry`, WAITING: what it waits for now
    why: str = ""  # with `retry`: how this attempt ended, for its history


class Policy(NamedTuple):
    """A worker's rules for tasks that have ended, or whose process died."""

    keep: float | None = 86400.0  # seconds that a finished task is kept; None: for ever
    keep_dead: float | None = 30 * 86400.0  # the same for one that was set aside
    max_lost: int = 3  # processes a task may cost before it is set aside

    def kept_until(self, phase: Phase, now: float) -> float | None:
        """When a task that ends in `phase` at `now` may be forgotten."""
        keep = self.keep_dead if phase is Phase.DEAD else self.keep
        return None if keep is None else now + keep
