"""Decisions about what becomes of a task after a run. Pure: no clock, no store, no process."""

from collections.abc import Callable, Sequence
from typing import assert_never

from ..brokers.base import Rescue
from ..config import Config
from ..model.graph import Graph, Place
from ..model.message import Delivery
from ..model.outcome import Kind, Outcome, Policy, Settlement
from ..states import FAILURE, IGNORED, REVOKED, SUCCESS, Phase, phase_for_eta

# UNKNOWN is set aside as dead, so that newer code can still run it.
_ENDS = {
    Kind.SUCCEEDED: Phase.SUCCEEDED,
    Kind.TERMINATED: Phase.CANCELLED,
    Kind.EXPIRED: Phase.EXPIRED,
    Kind.UNKNOWN: Phase.DEAD,
}
_REPORTED = {SUCCESS: Phase.SUCCEEDED, FAILURE: Phase.FAILED, REVOKED: Phase.CANCELLED}


def policy_of(conf: Config) -> Policy:
    """Return how long results are kept, and how many processes a task may cost, by the settings."""
    return Policy(conf.result_expires or None, conf.task_dead_expires or None, conf.task_max_lost)


def decide(delivery: Delivery, outcome: Outcome, policy: Policy, now: float) -> Settlement:
    """Return the settlement of `delivery` after `outcome`. `now`: epoch seconds."""
    match outcome.kind:
        case Kind.SUCCEEDED | Kind.TERMINATED | Kind.EXPIRED | Kind.UNKNOWN:
            return _final(delivery, outcome, policy, now, _ENDS[outcome.kind])
        case Kind.FAILED | Kind.REJECTED | Kind.OVERDUE:
            phase = Phase.DEAD if outcome.exhausted else Phase.FAILED
            return _final(delivery, outcome, policy, now, phase)
        case Kind.IGNORED:
            return _ignored(delivery, outcome, policy, now)
        case Kind.RETRY:
            return _retry(delivery, outcome, now)
        case Kind.REPLACED:
            return _replaced(delivery, outcome, now)
        case Kind.REQUEUED:
            return _again(delivery, outcome, now)
        case Kind.LOST:
            return _lost(delivery, outcome, policy, now)
        case _:
            assert_never(outcome.kind)


def decide_rescue(
    held: Sequence[Delivery],
    started: frozenset[int] | None,
    lost: Callable[[Delivery], Outcome],
    policy: Policy,
    now: float,
) -> Rescue:
    """Return what becomes of the claims that a dead worker held.

    `started`: the tokens of those that it had started; None when that is unknown. Only these are
    charged, with the outcome that `lost` gives; the others are released. `now`: epoch seconds.
    """
    charged = [each for each in held if _may_have_started(each, started)]
    released = [each.receipt for each in held if not _may_have_started(each, started)]
    return Rescue(released, [decide(each, lost(each), policy, now) for each in charged])


def decide_refused(settlement: Settlement, error: Outcome, policy: Policy) -> Settlement:
    """Return what to write of a task instead of a `settlement` that the store refuses for good."""
    return Settlement(
        receipt=settlement.receipt,
        phase=Phase.FAILED,
        at=settlement.at,
        result=error.result,
        result_serializer=error.serializer,
        traceback=error.traceback,
        keep_until=policy.kept_until(Phase.FAILED, settlement.at),
        lost=settlement.lost,
        tied=True,  # perhaps; what follows from its end is looked for
    )


def runs_again(delivery: Delivery, policy: Policy) -> bool:
    """Return whether a task that has just lost its process may run again."""
    return delivery.message.acks_late and delivery.lost + 1 < policy.max_lost


def _may_have_started(delivery: Delivery, started: frozenset[int] | None) -> bool:
    # A task that may run only once is never run again on a guess: it may have ended, and another
    # one started, before its end could be written.
    once = not delivery.message.acks_late
    return once or started is None or delivery.receipt.token in started


def _final(
    delivery: Delivery, outcome: Outcome, policy: Policy, now: float, phase: Phase
) -> Settlement:
    return Settlement(
        receipt=delivery.receipt,
        phase=phase,
        at=now,
        result=outcome.result,
        result_serializer=outcome.serializer,
        traceback=outcome.traceback,
        keep_until=policy.kept_until(phase, now),
        lost=delivery.lost,
        tied=delivery.tied,
        old_place=delivery.place,
    )


def _ignored(delivery: Delivery, outcome: Outcome, policy: Policy, now: float) -> Settlement:
    """End a task that raised Ignore, in the final state that it gave itself, if any."""
    phase = _REPORTED.get(outcome.reported or IGNORED)
    if phase is not None:
        return _final(delivery, outcome, policy, now, phase)
    ended = _final(delivery, outcome, policy, now, Phase.SUCCEEDED)
    return ended._replace(reported=outcome.reported or IGNORED)


def _retry(delivery: Delivery, outcome: Outcome, now: float) -> Settlement:
    message = outcome.message or delivery.message
    attempt = message._replace(retries=delivery.message.retries + 1, eta=outcome.eta)
    return Settlement(
        receipt=delivery.receipt,
        phase=phase_for_eta(outcome.eta, now),
        at=now,
        result=outcome.result,
        result_serializer=outcome.serializer,
        traceback=outcome.traceback,
        retry=attempt,
        lost=delivery.lost,
        why="retry",
        old_place=delivery.place,
    )


def _replaced(delivery: Delivery, outcome: Outcome, now: float) -> Settlement:
    """Store the tasks that replace it; the last of them takes its id and its place."""
    last, place = outcome.message or delivery.message, outcome.place or Place()
    return Settlement(
        receipt=delivery.receipt,
        phase=phase_for_eta(last.eta, now) if place.waits is None else Phase.WAITING,
        at=now,
        retry=last,
        lost=delivery.lost,
        graph=outcome.graph or Graph(),
        place=place,
        why="replaced",
        old_place=delivery.place,
    )


def _again(delivery: Delivery, outcome: Outcome, now: float) -> Settlement:
    """Run the same message once more."""
    return Settlement(
        receipt=delivery.receipt,
        phase=Phase.READY,
        at=now,
        traceback=outcome.traceback or outcome.note,
        retry=delivery.message,
        lost=delivery.lost,
        why=outcome.kind.value,
        old_place=delivery.place,
    )


def _lost(delivery: Delivery, outcome: Outcome, policy: Policy, now: float) -> Settlement:
    """Charge the task for the process it lost, and run it again if it may."""
    charged = delivery._replace(lost=delivery.lost + 1)
    if runs_again(delivery, policy):
        return _again(charged, outcome, now)
    phase = Phase.DEAD if delivery.message.acks_late else Phase.FAILED
    return _final(charged, outcome, policy, now, phase)
