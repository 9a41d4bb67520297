"""Waiting tasks run in the test's own thread: `liteq.testing.drain`."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from liteq import LiteQ
from liteq.brokers.base import Claim
from liteq.exceptions import ResultNotSerializable
from liteq.serializers import register_serializer, unregister
from liteq.testing import ManualClock, MemoryBroker, drain


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def app(clock: ManualClock) -> Iterator[LiteQ]:
    app = LiteQ("project", broker=MemoryBroker(clock), set_as_current=False)
    yield app
    app.close()


def test_waiting_tasks_are_run_in_this_thread(app: LiteQ) -> None:
    @app.task
    def where() -> int:
        return threading.get_ident()

    result = where.delay()

    assert drain(app) == 1
    assert result.get(timeout=0) == threading.get_ident()


def test_without_tasks_nothing_is_run(app: LiteQ) -> None:
    assert drain(app) == 0


def test_tasks_that_a_task_sends_are_run_as_well_whatever_their_queue(app: LiteQ) -> None:
    seen = []

    @app.task
    def countdown(n: int) -> None:
        seen.append(n)
        if n:
            countdown.apply_async((n - 1,), queue=f"queue-{n - 1}")

    countdown.delay(3)

    assert drain(app) == 4
    assert seen == [3, 2, 1, 0]


def test_an_error_is_stored_and_stops_nothing(app: LiteQ) -> None:
    @app.task
    def divide(x: int, y: int) -> float:
        return x / y

    wrong, right = divide.delay(1, 0), divide.delay(4, 2)

    assert drain(app) == 2
    assert right.get(timeout=0) == 2
    with pytest.raises(ZeroDivisionError):
        wrong.get(timeout=0)


def test_only_the_queues_that_are_named_are_emptied(app: LiteQ) -> None:
    @app.task
    def echo(value: str) -> str:
        return value

    mail = echo.apply_async(("mail",), queue="mail")
    other = echo.apply_async(("other",), queue="other")

    assert drain(app, queues=["mail", "unknown"]) == 1
    assert (mail.state, other.state) == ("SUCCESS", "PENDING")


def test_no_more_than_the_limit_is_run_and_nothing_stays_claimed(app: LiteQ) -> None:
    @app.task
    def nothing() -> None: ...

    results = [nothing.delay() for _ in range(3)]

    assert drain(app, limit=2) == 2
    assert [each.state for each in results] == ["SUCCESS", "SUCCESS", "PENDING"]
    assert drain(app, limit=2) == 1
    assert app.broker.workers() == []


def test_a_retry_waits_for_the_clock(app: LiteQ, clock: ManualClock) -> None:
    @app.task(bind=True)
    def second_time_lucky(self: Any) -> int:
        if not self.request.retries:
            raise self.retry(countdown=60)
        return int(self.request.retries)

    result = second_time_lucky.delay()

    assert drain(app) == 1
    assert result.state == "RETRY"
    clock.advance(59)
    assert drain(app) == 0
    clock.advance(1)
    assert drain(app) == 1
    assert result.get(timeout=0) == 1


def test_an_expired_task_is_not_run(app: LiteQ, clock: ManualClock) -> None:
    ran = []

    @app.task
    def note() -> None:
        ran.append(True)

    result = note.apply_async(expires=10)
    clock.advance(10)

    assert drain(app) == 1
    assert (result.state, ran) == ("REVOKED", [])


def test_a_task_can_report_a_state_while_it_runs(app: LiteQ) -> None:
    seen = []

    @app.task(bind=True)
    def half(self: Any) -> None:
        self.update_state(state="PROGRESS", meta={"done": 50})
        seen.append((self.AsyncResult(self.request.id).state, self.request.hostname))

    half.delay()
    drain(app)

    assert seen == [("PROGRESS", "drain")]


def test_claimed_tasks_are_left_to_their_worker(app: LiteQ) -> None:
    @app.task
    def nothing() -> None: ...

    nothing.delay()
    worker = app.broker.register("worker", "{}")
    app.broker.claim(Claim(worker, ("celery",), 1))

    assert drain(app) == 0


def test_it_works_on_a_file_too(store: str) -> None:
    app = LiteQ("project", broker=store, set_as_current=False)

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    result = add.delay(2, 3)

    assert drain(app) == 1
    assert result.get(timeout=0) == 5
    app.close()


@pytest.mark.parametrize("value", [b"bytes", KeyError("a")])
def test_a_serializer_that_cannot_carry_an_outcome_fails_the_task_alone(
    app: LiteQ, value: Any
) -> None:
    register_serializer("text", lambda each: json.dumps(each).encode(), json.loads)
    app.conf["result_serializer"] = "text"
    app.conf["accept_content"] = ["json", "pickle", "text"]

    @app.task
    def end() -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    result = end.delay()
    drain(app)
    assert result.state == "FAILURE"
    with pytest.raises((KeyError, ResultNotSerializable)):
        result.get(timeout=0)
    unregister("text")
