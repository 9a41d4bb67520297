"""What becomes of a task after a run. Pure: no clock, no store, no process."""

from ..config import Config
from ..model.graph import Graph, Place
from ..model.message import Delivery, Message
from ..model.outcome import Kind, Outcome, Policy, Settlement
from ..states import FAILURE, IGNORED, REVOKED, SUCCESS, Phase

_TOLD = {SUCCESS: Phase.SUCCEEDED, FAILURE: Phase.FAILED, REVOKED: Phase.CANCELLED}


def policy_of(conf: Config) -> Policy:
    """The rules that the settings give."""
    return Policy(conf.result_expires or None, conf.task_dead_expires or None, conf.task_max_lost)


def decide(delivery: Delivery, outcome: Outcome, policy: Policy, now: float) -> Settlement:
    """The settlement of `delivery` after `outcome`, at the moment `now`."""
    if outcome.kind is Kind.SUCCEEDED:
        return _final(delivery, outcome, policy, now, Phase.SUCCEEDED)
    match outcome.kind:
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
            return _again(delivery, outcome, now, lost=delivery.lost)
        case Kind.LOST:
            return _lost(delivery, outcome, policy, now)
        case Kind.TERMINATED:
            return _final(delivery, outcome, policy, now, Phase.CANCELLED)
        case Kind.EXPIRED:
            return _final(delivery, outcome, policy, now, Phase.EXPIRED)
        case _:  # Kind.UNKNOWN: set aside, so that newer code can still run it
            return _final(delivery, outcome, policy, now, Phase.DEAD)


def _final(
    delivery: Delivery, outcome: Outcome, policy: Policy, now: float, phase: Phase
) -> Settlement:
    return Settlement(
        delivery.receipt,
        phase,
        now,
        outcome.result,
        outcome.serializer,
        outcome.traceback,
        policy.kept_until(phase, now),
        None,
        delivery.lost,
        None,
        delivery.tied,
    )


def _ignored(delivery: Delivery, outcome: Outcome, policy: Policy, now: float) -> Settlement:
    """A task that gave itself one of Celery's final states is taken at its word."""
    phase = _TOLD.get(outcome.reported or IGNORED)
    if phase is not None:
        return _final(delivery, outcome, policy, now, phase)
    ended = _final(delivery, outcome, policy, now, Phase.SUCCEEDED)
    return ended._replace(reported=outcome.reported or IGNORED)


def _retry(delivery: Delivery, outcome: Outcome, now: float) -> Settlement:
    message = delivery.message if outcome.message is None else Message(*outcome.message)
    attempt = message._replace(retries=delivery.message.retries + 1, eta=outcome.eta)
    later = outcome.eta is not None and outcome.eta > now
    return Settlement(
        delivery.receipt,
        Phase.SCHEDULED if later else Phase.READY,
        now,
        outcome.result,
        outcome.serializer,
        outcome.traceback,
        retry=attempt,
        lost=delivery.lost,
        why="retry",
    )


def _replaced(delivery: Delivery, outcome: Outcome, now: float) -> Settlement:
    """Other tasks go on in its place; the last of them is it, with another message."""
    last = Message(*outcome.message)
    place = Place(*outcome.place)
    later = last.eta is not None and last.eta > now
    phase = Phase.SCHEDULED if later else Phase.READY
    return Settlement(
        delivery.receipt,
        phase if place.waits is None else Phase.WAITING,
        now,
        retry=last,
        lost=delivery.lost,
        graph=Graph.from_tuples(outcome.graph),
        place=place,
        why="replaced",
    )


def _again(delivery: Delivery, outcome: Outcome, now: float, lost: int) -> Settlement:
    return Settlement(
        delivery.receipt,
        Phase.READY,
        now,
        traceback=outcome.traceback or outcome.note,
        retry=delivery.message,
        lost=lost,
        why=outcome.kind.value,
    )


def _lost(delivery: Delivery, outcome: Outcome, policy: Policy, now: float) -> Settlement:
    lost = delivery.lost + 1
    if delivery.message.acks_late and lost < policy.max_lost:
        return _again(delivery, outcome, now, lost)
    phase = Phase.DEAD if delivery.message.acks_late else Phase.FAILED
    return _final(delivery._replace(lost=lost), outcome, policy, now, phase)
