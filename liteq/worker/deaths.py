"""What is told of a task whose process has ended."""

from ..exceptions import LiteqError, Terminated, TimeLimitExceeded, WorkerLostError
from ..failure import describe, encode_failure
from ..outcome import Kind, Outcome
from ..pools.base import Death
from ..serializers import Serializer

_ERRORS: dict[Kind, type[LiteqError]] = {
    Kind.LOST: WorkerLostError,
    Kind.OVERDUE: TimeLimitExceeded,
    Kind.TERMINATED: Terminated,
}


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
