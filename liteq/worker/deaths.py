"""What is told of a task whose process has ended."""

import json

from ..exceptions import LiteqError, Terminated, TimeLimitExceeded, WorkerLostError
from ..failure import describe, encode_failure
from ..outcome import Kind, Outcome
from ..pools.base import Death
from ..pools.board import begun as read_begun
from ..serializers import Serializer

_ERRORS: dict[Kind, type[LiteqError]] = {
    Kind.LOST: WorkerLostError,
    Kind.OVERDUE: TimeLimitExceeded,
    Kind.TERMINATED: Terminated,
}


def begun(info: str) -> frozenset[int] | None:
    """The tokens of the claims that a dead worker had begun, by the `info` it left.

    None when nobody can tell: its pool has no processes, or the machine was restarted.
    """
    path = json.loads(info).get("board")
    return read_begun(path) if path else None


def epitaph(death: Death, serializer: Serializer) -> Outcome:
    """The outcome of the task that `death` ended."""
    error = _ERRORS[death.kind](death.reason)
    return Outcome(
        death.kind,
        encode_failure(error, serializer),
        serializer.name,
        death.ran,
        describe(error),
        death.reason,
    )
