"""What a task sees of itself in later runs, and what it may ask for between them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from liteq import LiteQ, Snooze, Task, chain
from liteq.exceptions import InvalidTaskError, Reject
from liteq.testing import ManualClock, drain

from .conftest import make_task

INF, NAN = float("inf"), float("nan")


def bound(app: LiteQ, function: Callable[..., Any], **options: Any) -> Task[..., Any]:
    return make_task(app, function, bind=True, **options)


def run_all(app: LiteQ, clock: ManualClock) -> None:
    for _ in range(6):
        drain(app)
        clock.advance(10)
    drain(app)


@pytest.mark.parametrize("how", ["snooze", "sleep", "event", "gather", "retry", "requeue"])
def test_only_what_was_given_back_is_delivered_again(
    app: LiteQ, clock: ManualClock, add: Any, how: str
) -> None:
    """Celery's word for a message that a worker had before, and has not done with."""
    seen: list[bool] = []

    def task(self: Any) -> None:
        first = not seen
        seen.append(self.request.delivery_info["redelivered"])
        if how == "sleep":
            self.sleep("a while", 5)
        elif how == "event":
            self.wait_for("approved", timeout=60)
        elif how == "gather":
            self.gather(add.s(1, 1))
        elif first and how == "snooze":
            raise Snooze(5)
        elif first and how == "retry":
            raise self.retry(countdown=1, headers={"x": 1})
        elif first:
            raise Reject(requeue=True)

    result = bound(app, task).delay()
    drain(app)
    app.emit("approved")
    run_all(app, clock)

    assert result.state == "SUCCESS"
    assert seen == [False, how == "requeue"]


def test_what_was_given_back_stays_so_in_a_retry(app: LiteQ, clock: ManualClock) -> None:
    seen: list[tuple[bool, Any]] = []

    def task(self: Any) -> None:
        seen.append((self.request.delivery_info["redelivered"], self.request.headers))
        if len(seen) == 1:
            raise Reject(requeue=True)
        if len(seen) == 2:
            raise self.retry(countdown=1, headers={"x": 1})

    bound(app, task).apply_async(headers={"y": 2})
    run_all(app, clock)

    assert seen == [(False, {"y": 2}), (True, {"y": 2}), (True, {"x": 1})]


@pytest.mark.parametrize("retried", [False, True])
@pytest.mark.parametrize("place", ["alone", "second", "child"])
def test_a_task_that_gathers_keeps_its_parent(
    app: LiteQ, clock: ManualClock, add: Any, place: str, *, retried: bool
) -> None:
    seen: list[tuple[Any, Any]] = []

    def collect(self: Any, *_: Any) -> None:
        seen.append((self.request.parent_id, self.request.root_id))
        self.gather(add.s(1, 1), add.s(2, 2))
        if retried and not self.request.retries:
            raise self.retry(countdown=1, headers={"x": 1})
        self.gather(add.s(3, 3), name="more")

    task = bound(app, collect)

    def parent(self: Any) -> str:
        return str(task.delay().id)

    wanted: tuple[Any, Any]
    match place:
        case "alone":
            result = task.delay()
            wanted = (None, result.id)
        case "second":
            result = chain(add.s(1, 1), task.s()).delay()
            assert result.parent is not None
            wanted = (result.parent.id, result.parent.id)
        case _:
            result = bound(app, parent).delay()
            wanted = (result.id, result.id)
    run_all(app, clock)

    assert result.state == "SUCCESS"
    assert len(seen) == 3 + retried
    assert set(seen) == {wanted}


@pytest.mark.parametrize("when", [0, -1, -0.5, timedelta(0), timedelta(days=-3), 0.01, "past"])
def test_a_snooze_takes_a_moment_so_that_it_does_not_keep_a_worker_busy(
    app: LiteQ, clock: ManualClock, when: Any
) -> None:
    """A time may be over by the time that it is looked at, so it is no error."""
    runs: list[float] = []

    def task(self: Any) -> None:
        runs.append(clock())
        if len(runs) < 3:
            raise Snooze(datetime(2001, 1, 1, tzinfo=UTC) if when == "past" else when)

    result = bound(app, task).delay()
    drain(app)
    assert len(runs) == 1
    for _ in range(2):
        clock.advance(0.1)
        drain(app)

    assert result.state == "SUCCESS"
    assert len(runs) == 3


@pytest.mark.parametrize("when", [None, "soon", True, [], object()])
def test_a_snooze_for_what_is_no_time_is_an_error_where_it_is_raised(when: Any) -> None:
    with pytest.raises(TypeError, match="takes seconds, a timedelta or a datetime, not"):
        raise Snooze(when)


@pytest.mark.parametrize("when", [NAN, INF, -INF, 1e12])
def test_a_snooze_until_no_time_of_a_calendar_fails_the_task(app: LiteQ, when: float) -> None:
    def task(self: Any) -> None:
        raise Snooze(when)

    result = bound(app, task).delay()
    drain(app)
    with pytest.raises(InvalidTaskError, match="the time of Snooze is"):
        result.get(timeout=1)


@pytest.mark.parametrize(
    ("units", "match"),
    [
        ({"seconds": NAN}, "the time to sleep is seconds=nan"),
        ({"hours": INF}, "the time to sleep is hours=inf"),
        ({"days": 1e9, "minutes": 1}, "the time to sleep is days=1000000000.0, minutes=1"),
        ({"minutes": "5"}, "the time to sleep is minutes='5'"),
    ],
)
def test_units_that_are_no_time_to_sleep_say_so(app: LiteQ, units: Any, match: str) -> None:
    def task(self: Any) -> None:
        self.sleep("a while", **units)

    result = bound(app, task).delay()
    drain(app)
    with pytest.raises(InvalidTaskError, match=match):
        result.get(timeout=1)
    assert result.steps() == []


def test_all_times_of_a_history_are_epoch_seconds(app: LiteQ, clock: ManualClock) -> None:
    def task(self: Any) -> None:
        self.step("one", int)
        self.sleep("a while", 5)

    result = bound(app, task).delay()
    began = clock()
    drain(app)
    clock.advance(5)
    drain(app)

    assert {step.name: (step.at, step.until) for step in result.steps()} == {
        "one": (began, None),
        "a while": (began, began + 5),
    }
    assert [(each.started, each.ended) for each in result.attempts()] == [
        (began, began),
        (began + 5, began + 5),
    ]
