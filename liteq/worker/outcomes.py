"""Outcomes that the supervisor makes itself: of tasks that lost the process they ran in, and of
those whose own outcome cannot be stored.
"""

from ..exceptions import (
    BrokerRefused,
    LiteqError,
    ResultNotSerializable,
    Terminated,
    TimeLimitExceeded,
    WorkerLostError,
)
from ..execution.failure import describe, stored_failure
from ..model.message import Delivery
from ..model.outcome import Kind, Outcome, Policy
from ..serializers import Serializer
from .decide import runs_again

_ERRORS: dict[Kind, type[LiteqError]] = {
    Kind.LOST: WorkerLostError,
    Kind.OVERDUE: TimeLimitExceeded,
    Kind.TERMINATED: Terminated,
}


def lost_outcome(
    delivery: Delivery,
    policy: Policy,
    serializer: Serializer,
    reason: str,
    kind: Kind = Kind.LOST,
    runtime: float = 0.0,
) -> Outcome:
    """Return the outcome of a task whose process ended before it could report one.

    `kind`: LOST, or why the process was killed. `reason`: what happened to the process.
    `runtime`: seconds since the task was started, where that is known.
    """
    if kind is Kind.LOST:
        reason += _consequence(delivery, policy)
    error = _ERRORS[kind](reason)
    data, name = stored_failure(error, serializer)
    return Outcome(kind, data, name, runtime, describe(error), reason)


def unstorable_outcome(exc: BrokerRefused, serializer: Serializer) -> Outcome:
    """Return the outcome of a task that has run, but whose own outcome the store refuses."""
    error = ResultNotSerializable(f"it has run, but its outcome cannot be stored: {exc}")
    text = describe(error)
    return Outcome(Kind.FAILED, *stored_failure(error, serializer), note=text, traceback=text)


def _consequence(delivery: Delivery, policy: Policy) -> str:
    if runs_again(delivery, policy):
        return ""
    if not delivery.acks_late:
        return "; with acks_late=False it may not run again"
    return f"; it has lost {delivery.lost + 1} of {policy.max_lost} processes, so it is set aside"
