"""Options of a worker's own code count before what the sender knew, and after what a call said."""

from typing import Any

import pytest

from liteq import LiteQ
from liteq.model.message import Delivery, Message, Receipt
from liteq.worker.definitions import Definitions, at_most_once_by

from .conftest import make_task


def delivery(task: str = "t", **fields: Any) -> Delivery:
    return Delivery(Message("id", task, b"", "json", "celery", **fields), Receipt(1, 1))


def applied(app: LiteQ, given: Delivery) -> tuple[bool, bool]:
    message = Definitions.of_tasks(app.tasks, app.conf).apply(given).message
    return message.acks_late, message.ignore_result


def test_a_task_that_leaves_an_option_open_has_that_of_the_settings(app: LiteQ) -> None:
    app.conf.update(task_acks_late=False, task_ignore_result=True)
    make_task(app, lambda: None, name="t")
    make_task(app, lambda: None, name="own", acks_late=True, ignore_result=False)

    assert applied(app, delivery()) == (False, True)
    assert applied(app, delivery("own", acks_late=False, ignore_result=True)) == (True, False)


def test_a_task_that_is_not_known_here_stays_as_it_was_sent(app: LiteQ) -> None:
    given = delivery("elsewhere", acks_late=False, ignore_result=True)

    assert Definitions.of_tasks(app.tasks, app.conf).apply(given) is given


@pytest.mark.parametrize("said", [True, False])
def test_what_the_call_said_counts(app: LiteQ, said: bool) -> None:
    task = make_task(app, lambda: None, name="t", ignore_result=not said)
    message = app.producer.message(task, (), {}, {"ignore_result": said})

    assert applied(app, delivery().with_message(message)) == (True, said)


def test_the_record_of_a_dead_worker_tells_which_of_its_tasks_may_run_once() -> None:
    held = [delivery("once"), delivery("often", acks_late=False), delivery("other")]
    info = {"tasks": ["once", "often"], "at_most_once": ["once"]}

    found = at_most_once_by(info, held)

    assert [each.message.acks_late for each in found] == [False, True, True]


@pytest.mark.parametrize("info", [{}, {"tasks": 5, "at_most_once": 7}, {"at_most_once": ["once"]}])
def test_a_record_that_does_not_tell_leaves_it_to_the_sender(info: dict[str, Any]) -> None:
    held = [delivery("once", acks_late=False)]

    assert at_most_once_by(info, held) == held
