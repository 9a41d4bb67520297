"""Decisions about what becomes of a task after a run. Pure: no clock, no store, no process."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, assert_never

from ..brokers.base import Rescue
from ..config import Config
from ..model.graph import Graph, Place
from ..model.message import Delivery, Receipt
from ..model.options import with_notes
from ..model.outcome import Kind, Outcome, Policy, Settlement
from ..model.output import Output
from ..model.step import Step
from ..pools.base import Success
from ..states import FAILURE, IGNORED, REVOKED, SUCCESS, Phase, phase_for_eta

# UNKNOWN is set aside as dead, so that newer code can still run it.
_ENDS = {
    Kind.SUCCEEDED: Phase.SUCCEEDED,
    Kind.TERMINATED: Phase.CANCELLED,
    Kind.EXPIRED: Phase.EXPIRED,
    Kind.UNKNOWN: Phase.DEAD,
}
_new = tuple.__new__
_REPORTED = {SUCCESS: Phase.SUCCEEDED, FAILURE: Phase.FAILED, REVOKED: Phase.CANCELLED}


class Trace(NamedTuple):
    """The facts about a dead worker's last moment."""

    started: frozenset[int] | None  # the tokens of what its slots started last; None: unknown
    slots: int | None = None  # how many claims can have been running at once; None: unknown
    restarted: bool = False  # it died with its machine


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
        case Kind.SNOOZED | Kind.SLEPT | Kind.AWAITED | Kind.GATHERED:
            return _suspended(delivery, outcome, now)
        case Kind.REQUEUED | Kind.LEFT:
            return _again(delivery, outcome, now)
        case Kind.LOST:
            return _lost(delivery, outcome, policy, now)
        case _:
            assert_never(outcome.kind)


def decide_successes(ends: Iterable[Success], policy: Policy, now: float) -> list[Settlement]:
    """Return what `decide` returns of each of `ends`, in a third of the time."""
    keep_until = policy.kept_until(Phase.SUCCEEDED, now)
    settlements = []
    for each, result, serializer, _, _ in ends:
        receipt = _new(Receipt, (each.key, each.token))
        end = (receipt, Phase.SUCCEEDED, now, result, serializer, None, keep_until)
        place = each.place
        rest = (None, each.lost, None, each.tied, None, None, place, "", (), None, False, None)
        settlements.append(_new(Settlement, end + rest))
    return settlements


def decide_rescue(
    held: Sequence[Delivery],
    trace: Trace,
    lost: Callable[[Delivery, Policy], Outcome],
    policy: Policy,
    now: float,
) -> Rescue:
    """Return what becomes of the claims that a dead worker held.

    Those that may have been running are charged, with the outcome that `lost` gives; the others are
    released. A task is set aside only when nothing else can have killed the worker: where several
    ran, all are charged and all run again. `now`: epoch seconds.
    """
    running = _may_have_run(held, trace)
    alone = len(running) == 1 and (trace.started is not None or len(held) == 1)
    rules = policy if alone else policy._replace(max_lost=sys.maxsize)
    # A task that may run only once is never run again on a guess: it may have ended, and another
    # one started, before its end could be written; or its child may start it even now.
    ended = [each for each in held if each.receipt in running or not each.acks_late]
    kept = {each.receipt for each in ended}
    released = [each.receipt for each in held if each.receipt not in kept]
    return Rescue(released, [decide(each, lost(each, rules), rules, now) for each in ended])


def decide_step(delivery: Delivery, step: Step, now: float) -> Settlement:
    """Return what to write when a running task has ended a step, and goes on."""
    return Settlement(delivery.receipt, Phase.RUNNING, now, steps=(step,))


def decide_output(delivery: Delivery, output: Output, now: float) -> Settlement:
    """Return what to write of what a task has printed; it goes on, or its end comes after this."""
    return Settlement(delivery.receipt, Phase.RUNNING, now, output=output)


def decide_unstorable(settlement: Settlement, error: Outcome, policy: Policy) -> Settlement:
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
        old_place=settlement.old_place,
    )


def runs_again(delivery: Delivery, policy: Policy) -> bool:
    """Return whether a task that has just lost its process may run again."""
    return delivery.acks_late and delivery.lost + 1 < policy.max_lost


def runs_alone(delivery: Delivery, policy: Policy) -> bool:
    """Return whether a task must be the only one that runs in its worker.

    That is one which would be set aside for the next process that it loses. Should the worker die
    again, no other task can have been the cause, and no other task is charged.
    """
    return delivery.lost >= max(policy.max_lost - 1, 1)


def _may_have_run(held: Sequence[Delivery], trace: Trace) -> set[Receipt]:
    """Return which of the claims in `held` (the oldest first) may have killed their worker."""
    if trace.restarted:
        return set()
    if trace.started is not None:
        return {each.receipt for each in held if each.token in trace.started}
    # Each slot ran one. The oldest have run for longest, and the most urgent were started first.
    urgent = sorted(held, key=lambda each: -each.priority)
    return {each.receipt for each in (*held[: trace.slots], *urgent[: trace.slots])}


def _final(
    delivery: Delivery, outcome: Outcome, policy: Policy, now: float, phase: Phase
) -> Settlement:
    keep_until = policy.kept_until(phase, now)
    end = (outcome.result, outcome.serializer, outcome.traceback, keep_until)
    place = delivery.place
    lost, tied = delivery.lost, delivery.tied
    rest = (None, lost, None, tied, None, None, place, "", (), None, False, None)
    # As each task ends here: half the time of a call with keywords.
    return _new(Settlement, (delivery.receipt, phase, now, *end, *rest))


def _ignored(delivery: Delivery, outcome: Outcome, policy: Policy, now: float) -> Settlement:
    """End a task that raised Ignore, in the final state that it gave itself, if any."""
    phase = _REPORTED.get(outcome.reported or IGNORED)
    if phase is not None:
        return _final(delivery, outcome, policy, now, phase)
    ended = _final(delivery, outcome, policy, now, Phase.SUCCEEDED)
    return ended._replace(reported=outcome.reported or IGNORED)


def _retry(delivery: Delivery, outcome: Outcome, now: float) -> Settlement:
    message = outcome.message or delivery.message
    attempt = message._replace(retries=delivery.retries + 1, eta=outcome.eta)
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
        steps=None,
    )


def _suspended(delivery: Delivery, outcome: Outcome, now: float) -> Settlement:
    """Let the task run again from its start when what it waits for has come. Nothing is charged."""
    message = (outcome.message or delivery.message)._replace(eta=outcome.eta)
    step, awaits = outcome.step, outcome.kind is Kind.AWAITED
    unbounded = outcome.eta is None and outcome.kind in (Kind.AWAITED, Kind.GATHERED)
    return Settlement(
        receipt=delivery.receipt,
        phase=Phase.WAITING if unbounded else phase_for_eta(outcome.eta, now),
        at=now,
        traceback=outcome.note or None,
        retry=message,
        lost=delivery.lost,
        graph=outcome.graph,
        place=outcome.place,
        old_place=delivery.place,
        why=outcome.kind.value,
        steps=() if step is None else (step,),
        event=step.name if awaits and step is not None else None,
        keeps_report=True,
    )


def _again(delivery: Delivery, outcome: Outcome, now: float) -> Settlement:
    """Run the same message once more, at the `eta` of the outcome if it has one."""
    message = delivery.message
    if outcome.kind is Kind.REQUEUED:
        message = with_notes(message, requeued=True)
    return Settlement(
        receipt=delivery.receipt,
        phase=phase_for_eta(outcome.eta, now),
        at=now,
        traceback=outcome.traceback or outcome.note,
        retry=message if outcome.eta is None else message._replace(eta=outcome.eta),
        lost=delivery.lost,
        why=outcome.kind.value,
        old_place=delivery.place,
    )


def _lost(delivery: Delivery, outcome: Outcome, policy: Policy, now: float) -> Settlement:
    """Charge the task for the process it lost, and run it again if it may."""
    charged = delivery._replace(lost=delivery.lost + 1)
    if runs_again(delivery, policy):
        return _again(charged, outcome, now)
    phase = Phase.DEAD if delivery.acks_late else Phase.FAILED
    return _final(charged, outcome, policy, now, phase)
