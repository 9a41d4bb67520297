"""Decisions about what becomes of a task after a run."""

from liteq.model.graph import Place
from liteq.model.message import Delivery, Message, Receipt
from liteq.model.outcome import Kind, Outcome, Policy, Settlement
from liteq.pools.base import Success
from liteq.states import Phase
from liteq.worker.decide import decide, decide_successes


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
