"""Decisions about what becomes of a task after a run."""

import pytest

from liteq.model.graph import Graph, Place
from liteq.model.message import Delivery, Message, Receipt
from liteq.model.outcome import Kind, Outcome, Policy, Settlement
from liteq.model.step import Step
from liteq.pools.base import Success
from liteq.states import Phase
from liteq.worker.decide import decide, decide_step, decide_successes


def test_each_field_of_the_settlement_of_a_finished_task_has_its_own_value() -> None:
    place = Place(waits="before")
    message = Message("a", "task", b"", "json", "celery")
    delivery = Delivery(message, Receipt(7, 9), lost=2, tied=True, place=place)
    outcome = Outcome(Kind.FAILED, b"error", "json", 0.5, "note", "traceback")

    assert decide(delivery, outcome, Policy(keep=60.0), 1000.0) == Settlement(
        receipt=Receipt(7, 9),
        phase=Phase.FAILED,
        at=1000.0,
        result=b"error",
        result_serializer="json",
        traceback="traceback",
        keep_until=1060.0,
        lost=2,
        tied=True,
        old_place=place,
    )


def test_a_plain_success_is_settled_as_its_outcome_would_be() -> None:
    message = Message("a", "task", b"", "json", "celery")
    delivery = Delivery(message, Receipt(7, 9), lost=2, tied=True, place=Place(waits="before"))
    end = Success(delivery, b"value", "json", 0.5, 1)
    policy = Policy(keep=60.0)

    settled = decide_successes([end], policy, 1000.0)

    assert settled == [decide(delivery, end.outcome, policy, 1000.0)]


NOW = 1000.0
POLICY = Policy(keep=60.0)
MESSAGE = Message("a", "task", b"payload", "json", "celery", eta=900.0, retries=2)
HELD = Delivery(MESSAGE, Receipt(7, 9), lost=2, place=Place(waits="before"))


def test_a_step_of_a_running_task_leaves_all_else_as_it_is() -> None:
    step = Step("charge", "step", NOW, None, b"1", "json")

    assert decide_step(HELD, step, NOW) == Settlement(
        Receipt(7, 9), Phase.RUNNING, NOW, steps=(step,)
    )


@pytest.mark.parametrize(
    ("kind", "step", "eta", "phase"),
    [
        (Kind.SNOOZED, None, 1030.0, Phase.SCHEDULED),
        (Kind.SNOOZED, None, 1000.0, Phase.READY),
        (Kind.SNOOZED, None, None, Phase.READY),
        (Kind.SLEPT, Step("s", "sleep", NOW, 1060.0), 1060.0, Phase.SCHEDULED),
        (Kind.AWAITED, Step("k", "wait", NOW, 1060.0), 1060.0, Phase.SCHEDULED),
        (Kind.AWAITED, Step("k", "wait", NOW, 1000.0), 1000.0, Phase.READY),
        (Kind.AWAITED, Step("k", "wait", NOW), None, Phase.WAITING),
    ],
)
def test_a_task_that_goes_on_later_is_charged_nothing(
    kind: Kind, step: Step | None, eta: float | None, phase: Phase
) -> None:
    outcome = Outcome(kind, note="why", eta=eta, step=step)

    assert decide(HELD, outcome, POLICY, NOW) == Settlement(
        receipt=Receipt(7, 9),
        phase=phase,
        at=NOW,
        traceback="why",
        retry=MESSAGE._replace(eta=eta),
        lost=2,
        old_place=Place(waits="before"),
        why=kind.value,
        steps=() if step is None else (step,),
        event="k" if kind is Kind.AWAITED else None,
        keeps_report=True,
    )


def test_a_task_that_gathers_waits_for_what_is_stored_along_with_it() -> None:
    graph, place = Graph((MESSAGE,), (Place(group="g"),)), Place(waits="g", barrier=True)
    complete = MESSAGE._replace(payload=b"complete")
    step = Step("gather", "gather", NOW, None, b"[]")
    outcome = Outcome(Kind.GATHERED, message=complete, graph=graph, place=place, step=step)

    settlement = decide(HELD, outcome, POLICY, NOW)

    assert (settlement.phase, settlement.why) == (Phase.WAITING, "gathered")
    assert settlement.retry == complete._replace(eta=None)
    assert (settlement.graph, settlement.place, settlement.steps) == (graph, place, (step,))


def test_what_runs_in_place_of_a_task_has_none_of_its_steps() -> None:
    outcome = Outcome(Kind.REPLACED, message=MESSAGE, graph=Graph(), place=Place())

    assert decide(HELD, outcome, POLICY, NOW).steps is None
