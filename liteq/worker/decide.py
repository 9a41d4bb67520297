"""What becomes of a task after a run. Pure: no clock, no store, no process."""

from typing import NamedTuple

from ..message import Delivery
from ..outcome import Kind, Outcome, Settlement
from ..states import IGNORED, Phase


class Policy(NamedTuple):
    """The rules of one worker."""

    keep: float | None = 86400.0  # seconds that a finished task is kept; None: for ever
    max_lost: int = 3  # processes a task may cost before it is set aside


def decide(delivery: Delivery, outcome: Outcome, policy: Policy, now: float) -> Settlement:
    """The settlement of `delivery` after `outcome`, at the moment `now`."""
    if outcome.kind is Kind.SUCCEEDED:
        return _final(delivery, outcome, policy, now, Phase.SUCCEEDED)
    match outcome.kind:
        case Kind.FAILED | Kind.REJECTED | Kind.OVERDUE:
            return _final(delivery, outcome, policy, now, Phase.FAILED)
        case Kind.IGNORED:
            ended = _final(delivery, outcome, policy, now, Phase.SUCCEEDED)
            return ended._replace(reported=IGNORED)
        case Kind.RETRY:
            return _retry(delivery, outcome, now)
        case Kind.REQUEUED:
            return _again(delivery, now, lost=delivery.lost)
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
        None if policy.keep is None else now + policy.keep,
        None,
        delivery.lost,
    )


def _retry(delivery: Delivery, outcome: Outcome, now: float) -> Settlement:
    message = delivery.message
    attempt = message._replace(
        retries=message.retries + 1,
        eta=outcome.eta,
        payload=message.payload if outcome.payload is None else outcome.payload,
        options=outcome.options or message.options,
    )
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
    )


def _again(delivery: Delivery, now: float, lost: int) -> Settlement:
    return Settlement(delivery.receipt, Phase.READY, now, retry=delivery.message, lost=lost)


def _lost(delivery: Delivery, outcome: Outcome, policy: Policy, now: float) -> Settlement:
    lost = delivery.lost + 1
    if delivery.message.acks_late and lost < policy.max_lost:
        return _again(delivery, now, lost)
    phase = Phase.DEAD if delivery.message.acks_late else Phase.FAILED
    return _final(delivery._replace(lost=lost), outcome, policy, now, phase)
