"""Durable steps, sleeps, events and snoozing, as tasks use them."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from liteq import LiteQ, Snooze, Task, chain, group
from liteq.exceptions import (
    BrokerLocked,
    BrokerUnreachable,
    EventTimeoutError,
    InvalidTaskError,
    PayloadTooLarge,
    SerializationError,
    SoftTimeLimitExceeded,
    StepError,
    TimeoutError,
)
from liteq.model.step import Step
from liteq.signals import task_postrun
from liteq.states import Phase
from liteq.testing import ManualClock, MemoryBroker, drain

from .conftest import make_task

DAY = 86400.0


class Till:
    """What is charged: a provider that fails as often as it is told to."""

    def __init__(self) -> None:
        self.charged: list[int] = []
        self.failures = 0

    def charge(self, amount: int, *, tip: int = 0) -> dict[str, int]:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the provider is down")
        self.charged.append(amount + tip)
        return {"paid": amount + tip}


@pytest.fixture
def till() -> Till:
    return Till()


def bound(app: LiteQ, function: Callable[..., Any], **options: Any) -> Task[..., Any]:
    return make_task(app, function, bind=True, **options)


def outcomes(app: LiteQ, id: str) -> list[str]:
    return [each.outcome for each in app.broker.attempts(id)]


def record(app: LiteQ, id: str) -> Any:
    (found,) = app.broker.fetch([id])
    return found


# steps


def test_a_step_is_not_repeated_when_the_task_runs_again(app: LiteQ, till: Till) -> None:
    def order(self: Any, amount: int) -> Any:
        paid = self.step("charge", till.charge, amount, tip=1)
        if not self.request.retries:
            raise self.retry(countdown=0)
        return paid

    result = bound(app, order).delay(5)
    drain(app)

    assert result.get(timeout=1) == {"paid": 6}
    assert till.charged == [6]
    assert [step.name for step in app.broker.steps(result.id)] == ["charge"]


def test_a_step_that_fails_is_tried_again_with_its_task(app: LiteQ, till: Till) -> None:
    till.failures = 2

    def order(self: Any) -> Any:
        return self.step("charge", till.charge, 5)

    task = bound(app, order, autoretry_for=(ConnectionError,), default_retry_delay=0)
    result = task.delay()
    drain(app)

    assert result.get(timeout=1) == {"paid": 5}
    assert till.charged == [5]


def test_a_step_has_its_value_as_the_store_keeps_it_from_the_first_run_on(app: LiteQ) -> None:
    app.conf.result_serializer = "json"

    def task(self: Any) -> Any:
        return self.step("tuple", tuple, (1, 2))

    result = bound(app, task).delay()
    drain(app)

    assert result.get(timeout=1) == [1, 2]


def test_a_step_may_return_nothing(app: LiteQ, till: Till) -> None:
    def task(self: Any) -> Any:
        value = self.step("nothing", till.charged.append, 1)
        self.sleep("a while", seconds=0.001)
        return value

    result = bound(app, task).delay()
    drain(app)
    assert isinstance(app.broker, MemoryBroker)
    app.broker.clock.advance(1)  # type: ignore[attr-defined]
    drain(app)

    assert result.get(timeout=1) is None
    assert till.charged == [1]


def test_the_name_of_a_step_is_used_once_in_a_run(app: LiteQ, till: Till) -> None:
    def task(self: Any, second: str, args: Any) -> None:
        self.step("charge", till.charge, 1)
        getattr(self, second)("charge", *([till.charge, 2] if second == "step" else args))

    for second, args in (("step", ()), ("sleep", (5,)), ("wait_for", ())):
        result = bound(app, task).delay(second, args)
        drain(app)
        with pytest.raises(StepError, match="'charge' is in this run already: give each"):
            result.get(timeout=1)
    assert till.charged == [1, 1, 1]


def test_a_name_that_was_another_kind_of_step_is_an_error(app: LiteQ, till: Till) -> None:
    def task(self: Any) -> None:
        if not self.request.retries:
            self.step("x", till.charge, 1)
            raise self.retry(countdown=0)
        self.sleep("x", days=1)

    result = bound(app, task).delay()
    drain(app)

    with pytest.raises(StepError, match="'x' was a step in an earlier run of this task, and is a"):
        result.get(timeout=1)


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[31m", "n" * 256, 5, None])
def test_a_name_is_printable_and_not_long(app: LiteQ, till: Till, name: Any) -> None:
    def task(self: Any, kind: str) -> None:
        getattr(self, kind)(name, *([till.charge, 1] if kind == "step" else []))

    for kind in ("step", "sleep", "wait_for"):
        result = bound(app, task).delay(kind)
        drain(app)
        with pytest.raises(
            InvalidTaskError, match=r"cannot be a (step name|key of an event): give 1 to"
        ):
            result.get(timeout=1)
    assert till.charged == []


def test_a_step_without_a_name_is_told_where_the_name_belongs(app: LiteQ, till: Till) -> None:
    with pytest.raises(InvalidTaskError, match=r"it comes first, as in self\.step\('charge', fun"):
        bound(app, lambda self: self.step(till.charge, 1))()
    with pytest.raises(InvalidTaskError, match=r"it comes first, as in self\.sleep\('cool down'"):
        bound(app, lambda self: self.sleep(5), name="sleeper")()


def test_a_step_is_given_a_function_and_not_what_it_returned(app: LiteQ, till: Till) -> None:
    with pytest.raises(TypeError, match=r"self\.step\('charge', function, \.\.\.\)"):
        bound(app, lambda self: self.step("charge", till.charge(1)))()


def test_a_value_that_cannot_be_encoded_is_an_error_at_once_and_not_stored(app: LiteQ) -> None:
    went_on = []

    def task(self: Any) -> None:
        try:
            self.step("lambda", lambda: lambda: 1)
        finally:
            went_on.append(len(app.broker.steps(self.request.id)))

    result = bound(app, task).delay()
    drain(app)

    with pytest.raises(SerializationError, match="what the step 'lambda' returned is a function"):
        result.get(timeout=1)
    assert went_on == [0]


def test_a_value_beyond_the_limit_is_an_error_and_not_stored(app: LiteQ) -> None:
    app.conf.max_payload_size = 1000

    def task(self: Any) -> None:
        self.step("large", bytes, 2000)

    result = bound(app, task).delay()
    drain(app)

    with pytest.raises(PayloadTooLarge, match=r"what the step 'large' returned is \d+ bytes"):
        result.get(timeout=1)
    assert app.broker.steps(result.id) == []


def test_a_step_may_have_steps_of_its_own(app: LiteQ, till: Till) -> None:
    def task(self: Any) -> Any:
        def both() -> list[Any]:
            return [self.step("one", till.charge, 1), self.step("two", till.charge, 2)]

        return self.step("both", both)

    result = bound(app, task).delay()
    drain(app)

    assert result.get(timeout=1) == [{"paid": 1}, {"paid": 2}]
    assert {each.name for each in app.broker.steps(result.id)} == {"one", "two", "both"}


def test_a_run_whose_claim_was_lost_ends_at_its_step_without_effect(app: LiteQ) -> None:
    seen: list[Any] = []

    def take_the_claim(self: Any) -> int:
        if len(seen) == 1:
            app.broker.release([self.request.delivery.receipt])
        return len(seen)

    def task(self: Any) -> Any:
        seen.append("run")
        try:
            number = self.step("step", take_the_claim, self)
        except Exception:
            seen.append("caught")
            raise
        return number

    result = bound(app, task).delay()
    drain(app)

    assert seen == ["run", "run"]
    assert result.get(timeout=1) == 2


# sleeping


def sleeper(app: LiteQ, till: Till, *args: Any, **units: Any) -> Task[..., Any]:
    def task(self: Any) -> str:
        self.step("charge", till.charge, 1)
        self.sleep("cool down", *args, **units)
        return "awake"

    return bound(app, task)


def test_a_sleep_ends_the_run_and_the_task_runs_again_when_it_is_over(
    app: LiteQ, clock: ManualClock, till: Till
) -> None:
    result = sleeper(app, till, days=3).delay()
    drain(app)
    assert record(app, result.id).phase is Phase.SCHEDULED
    assert result.state == "PENDING"
    clock.advance(3 * DAY - 1)
    assert drain(app) == 0
    clock.advance(1)
    drain(app)

    assert result.get(timeout=1) == "awake"
    assert till.charged == [1]
    assert outcomes(app, result.id) == ["slept", "succeeded"]
    assert (record(app, result.id).message.retries, record(app, result.id).lost) == (0, 0)


@pytest.mark.parametrize(
    ("args", "units", "seconds"),
    [
        ((), {"days": 1, "hours": 2, "minutes": 3, "seconds": 4}, 93784),
        ((timedelta(hours=1),), {}, 3600),
        ((90,), {}, 90),
        ((datetime.fromtimestamp(1_000_000_100, UTC),), {}, 100),
    ],
)
def test_a_sleep_is_as_long_as_it_says(
    app: LiteQ, clock: ManualClock, till: Till, args: Any, units: Any, seconds: float
) -> None:
    clock.now = 1_000_000_000.0
    result = sleeper(app, till, *args, **units).delay()
    drain(app)

    assert record(app, result.id).message.eta == 1_000_000_000.0 + seconds


@pytest.mark.parametrize("args", [(0,), (-5,), (datetime(2000, 1, 1, tzinfo=UTC),)])
def test_a_sleep_that_is_over_already_does_not_end_the_run(
    app: LiteQ, till: Till, args: Any
) -> None:
    result = sleeper(app, till, *args).delay()
    drain(app)

    assert result.get(timeout=1) == "awake"
    assert outcomes(app, result.id) == ["succeeded"]


@pytest.mark.parametrize("until", ["soon", float("nan"), 1e300, True])
def test_what_is_no_time_is_an_error(app: LiteQ, till: Till, until: Any) -> None:
    result = sleeper(app, till, until).delay()
    drain(app)

    with pytest.raises((InvalidTaskError, OverflowError, ValueError)):
        result.get(timeout=1)


def test_a_sleep_is_given_a_time_or_units(app: LiteQ, till: Till) -> None:
    result = sleeper(app, till, 5, days=1).delay()
    drain(app)

    with pytest.raises(TypeError, match="a time, or days, hours, minutes and seconds"):
        result.get(timeout=1)


def test_a_sleep_says_how_long(app: LiteQ, till: Till) -> None:
    with pytest.raises(TypeError, match=r"self\.sleep\('nap', seconds=5\)"):
        bound(app, lambda self: self.sleep("nap"))()


def test_what_is_no_timeout_is_called_that(app: LiteQ) -> None:
    with pytest.raises(InvalidTaskError, match="timeout is '5': give a number of seconds"):
        bound(app, lambda self: self.wait_for("key", timeout="5"))()


def test_a_retry_does_not_sleep_anew(app: LiteQ, clock: ManualClock) -> None:
    def task(self: Any) -> int:
        self.sleep("cool down", seconds=60)
        if not self.request.retries:
            raise self.retry(countdown=5)
        return int(self.request.retries)

    result = bound(app, task).delay()
    drain(app)
    clock.advance(60)
    drain(app)
    assert result.state == "RETRY"
    clock.advance(5)
    drain(app)

    assert result.get(timeout=1) == 1


def test_a_task_that_runs_before_its_sleep_is_over_sleeps_on(
    app: LiteQ, clock: ManualClock, till: Till
) -> None:
    result = sleeper(app, till, seconds=60).delay()
    drain(app)
    app.control.revoke(result.id)
    app.broker.revive([result.id])  # as `liteq dead retry` does
    drain(app)
    assert record(app, result.id).message.eta == clock() + 60
    clock.advance(60)
    drain(app)

    assert result.get(timeout=1) == "awake"
    assert till.charged == [1]


def test_a_task_that_catches_everything_sleeps_all_the_same(app: LiteQ, clock: ManualClock) -> None:
    def task(self: Any) -> str:
        try:
            self.sleep("first", seconds=5)
        except Exception:
            return "caught"
        try:
            self.sleep("second", seconds=5)
        except BaseException:
            return "too early"
        return "awake"

    result = bound(app, task).delay()
    for _ in range(3):
        drain(app)
        clock.advance(5)

    assert result.get(timeout=1) == "awake"
    assert outcomes(app, result.id) == ["slept", "slept", "succeeded"]


def test_a_sleep_calls_no_hooks_but_says_so_by_a_signal(app: LiteQ, till: Till) -> None:
    told: list[str] = []

    class Hooked(Task):  # type: ignore[type-arg]
        def on_success(self, *args: Any) -> None:
            told.append("on_success")

        def on_failure(self, *args: Any) -> None:
            told.append("on_failure")

        def after_return(self, *args: Any) -> None:
            told.append("after_return")

    def postrun(state: str, **_: Any) -> None:
        told.append(state)

    def task(self: Any) -> None:
        self.sleep("s", days=1)

    task_postrun.connect(postrun, weak=False)
    try:
        bound(app, task, base=Hooked).delay()
        drain(app)
    finally:
        task_postrun.disconnect(postrun)

    assert told == ["PENDING"]


def test_a_sleeping_task_shows_what_it_has_reported(app: LiteQ, clock: ManualClock) -> None:
    def task(self: Any) -> None:
        self.update_state(state="HALF", meta={"of": 2})
        self.sleep("s", days=1)

    result = bound(app, task).delay()
    drain(app)

    assert (result.state, result.info) == ("HALF", {"of": 2})


def test_a_sleeping_task_can_be_revoked(app: LiteQ, clock: ManualClock, till: Till) -> None:
    result = sleeper(app, till, days=1).delay()
    drain(app)
    result.revoke()
    clock.advance(DAY)

    assert drain(app) == 0
    assert result.state == "REVOKED"


def test_a_task_that_expires_while_it_sleeps_does_not_go_on(
    app: LiteQ, clock: ManualClock, till: Till
) -> None:
    result = sleeper(app, till, days=1).apply_async(expires=60)
    drain(app)
    clock.advance(DAY)
    drain(app)

    assert record(app, result.id).phase is Phase.EXPIRED


# events


def waiter(app: LiteQ, **options: Any) -> Task[..., Any]:
    def task(self: Any, key: str, timeout: Any = None) -> Any:
        return self.wait_for(key, timeout=timeout)

    return bound(app, task, **options)


def test_a_task_waits_for_an_event_and_gets_its_value(app: LiteQ) -> None:
    result = waiter(app).delay("approved:17")
    drain(app)
    assert record(app, result.id).phase is Phase.WAITING
    assert result.state == "PENDING"

    assert app.emit("approved:17", {"by": "ann"})
    drain(app)

    assert result.get(timeout=1) == {"by": "ann"}
    assert outcomes(app, result.id) == ["awaited", "succeeded"]


def test_the_first_event_of_a_key_counts_also_for_tasks_that_come_later(app: LiteQ) -> None:
    assert app.emit("approved", "first")
    assert not app.emit("approved", "second")
    result = waiter(app).delay("approved")
    drain(app)

    assert result.get(timeout=1) == "first"


def test_a_task_may_emit_an_event_without_a_value(app: LiteQ) -> None:
    waits = waiter(app).delay("done")
    emits = make_task(app, lambda: app.emit("done"), name="emits").delay()
    drain(app)

    assert (waits.get(timeout=1), emits.get(timeout=1)) == (None, True)


@pytest.mark.parametrize("timeout", [60, timedelta(minutes=1)])
def test_a_wait_ends_when_its_time_is_over(app: LiteQ, clock: ManualClock, timeout: Any) -> None:
    result = waiter(app).delay("never", timeout)
    drain(app)
    assert record(app, result.id).phase is Phase.SCHEDULED
    clock.advance(59)
    assert drain(app) == 0
    clock.advance(1)
    drain(app)

    with pytest.raises(EventTimeoutError, match="the event 'never' did not come in time"):
        result.get(timeout=1)
    assert issubclass(EventTimeoutError, TimeoutError)


def test_a_wait_for_no_time_looks_whether_the_event_is_there(app: LiteQ) -> None:
    app.emit("there", 1)
    there, not_there = waiter(app).delay("there", 0), waiter(app).delay("not there", 0)
    drain(app)

    assert there.get(timeout=1) == 1
    with pytest.raises(EventTimeoutError):
        not_there.get(timeout=1)


def test_a_wait_that_has_timed_out_stays_so_in_the_next_run(app: LiteQ, clock: ManualClock) -> None:
    def task(self: Any) -> str:
        try:
            self.wait_for("late", timeout=60)
        except EventTimeoutError:
            if not self.request.retries:
                raise self.retry(countdown=5) from None
            return "without"
        return "with"

    result = bound(app, task).delay()
    drain(app)
    clock.advance(60)
    drain(app)
    app.emit("late")
    clock.advance(5)
    drain(app)

    assert result.get(timeout=1) == "without"


def test_a_retry_does_not_wait_anew(app: LiteQ, clock: ManualClock) -> None:
    def task(self: Any) -> Any:
        value = self.wait_for("key", timeout=60)
        if not self.request.retries:
            raise self.retry(countdown=5)
        return value

    result = bound(app, task).delay()
    drain(app)
    clock.advance(30)
    app.emit("key", "value")
    drain(app)
    clock.advance(DAY * 365)  # the event is long forgotten
    app.broker.sweep(10)
    drain(app)

    assert result.get(timeout=1) == "value"


def test_an_event_is_kept_as_long_as_the_settings_say(app: LiteQ, clock: ManualClock) -> None:
    app.conf.event_expires = 60
    app.emit("short")
    app.conf.event_expires = None
    app.emit("for ever")
    clock.advance(60)

    assert app.broker.event("short") is None
    assert app.broker.event("for ever") is not None


@pytest.mark.parametrize("key", ["", "a\tb", "\x00", "k" * 256, 5, None])
def test_an_event_has_a_key_that_is_printable_and_not_long(app: LiteQ, key: Any) -> None:
    with pytest.raises(
        InvalidTaskError, match="cannot be a key of an event: give 1 to 255 printable"
    ):
        app.emit(key)


def test_an_event_whose_value_cannot_be_stored_is_not_emitted(app: LiteQ) -> None:
    with pytest.raises(SerializationError, match="the value of the event 'key': "):
        app.emit("key", lambda: 1)
    app.conf.max_payload_size = 100
    with pytest.raises(PayloadTooLarge, match=r"the value of the event 'key' is \d+ bytes"):
        app.emit("key", "x" * 200)

    assert app.emit("key", "small")


def test_a_chain_goes_on_after_a_task_of_it_has_waited(app: LiteQ) -> None:
    @app.task
    def before() -> int:
        return 1

    @app.task(bind=True)
    def middle(self: Any, x: int) -> int:
        return x + int(self.wait_for("more"))

    @app.task
    def after(x: int) -> int:
        return x * 10

    result = chain(before.s(), middle.s(), after.s()).apply_async()
    drain(app)
    app.emit("more", 2)
    drain(app)

    assert result.get(timeout=1) == 30


# gathering


@pytest.fixture
def add(app: LiteQ) -> Task[..., int]:
    @app.task(name="add")
    def add(x: int, y: int) -> int:
        if y < 0:
            raise ValueError(f"{x} and {y}")
        return x + y

    return add


def test_a_task_gathers_the_values_of_others_in_order(app: LiteQ, add: Any, till: Till) -> None:
    def task(self: Any) -> Any:
        self.step("charge", till.charge, 1)
        return self.gather(add.s(1, 1), add.s(2, 2) | add.s(10), group(add.s(3, 3), add.s(4, 4)))

    result = bound(app, task).delay()
    drain(app)

    assert result.get(timeout=1) == [2, 14, [6, 8]]
    assert till.charged == [1]
    assert outcomes(app, result.id) == ["gathered", "succeeded"]
    assert sum(each.message.task == "add" for each in app.broker.listing(list(Phase), 99)) == 5


def test_gathered_tasks_are_sent_once_and_their_values_outlive_them(
    app: LiteQ, add: Any, clock: ManualClock
) -> None:
    def task(self: Any) -> Any:
        first = self.gather(add.s(1, 1))
        second = self.gather(add.s(2, 2), name="more")
        self.sleep("long", days=30)
        return first + second

    result = bound(app, task).delay()
    drain(app)
    clock.advance(31 * DAY)
    app.broker.sweep(100)
    drain(app)

    assert result.get(timeout=1) == [2, 4]


def test_the_error_of_a_gathered_task_is_raised_once_all_have_ended(app: LiteQ, add: Any) -> None:
    seen: list[str] = []

    def task(self: Any) -> Any:
        try:
            self.gather(add.s(1, -1), add.s(2, 2))
        except ValueError as exc:
            seen.append(str(exc))
        if not self.request.retries:
            raise self.retry(countdown=0)
        return [each.phase.name for each in app.broker.listing(list(Phase), 9)]

    result = bound(app, task).delay()
    drain(app)

    assert result.get(timeout=1) == ["RUNNING", "FAILED", "SUCCEEDED"]
    assert seen == ["1 and -1"] * 2


def test_gathering_nothing_is_an_empty_list(app: LiteQ) -> None:
    result = bound(app, lambda self: self.gather()).delay()
    drain(app)

    assert result.get(timeout=1) == []
    assert outcomes(app, result.id) == ["succeeded"]


def test_what_is_no_signature_cannot_be_gathered(app: LiteQ, add: Any) -> None:
    result = bound(app, lambda self: self.gather(add.s(1, 1), 5)).delay()
    drain(app)

    with pytest.raises(
        TypeError, match=r"takes signatures, as task\.s\(\.\.\.\) makes them, not 5"
    ):
        result.get(timeout=1)


def test_a_list_of_signatures_is_gathered_with_a_star(app: LiteQ, add: Any) -> None:
    with pytest.raises(TypeError, match=r"put a \* before it"):
        bound(app, lambda self: self.gather([add.s(1, 1)]))()


def test_a_second_gather_needs_a_name(app: LiteQ, add: Any) -> None:
    result = bound(app, lambda self: self.gather(add.s(1, 1)) + self.gather(add.s(1, 2))).delay()
    drain(app)

    with pytest.raises(StepError, match="'gather' is in this run already"):
        result.get(timeout=1)


def test_a_task_of_a_chain_that_gathers_keeps_what_it_has_taken(app: LiteQ, add: Any) -> None:
    @app.task(bind=True)
    def middle(self: Any, x: int) -> int:
        return x + int(sum(self.gather(add.s(1, 1), add.s(2, 2))))

    result = chain(add.s(50, 50), middle.s(), add.s(1000)).apply_async()
    drain(app)

    assert result.get(timeout=1) == 1106


def test_a_member_of_a_group_may_gather(app: LiteQ, add: Any) -> None:
    @app.task(bind=True)
    def member(self: Any, n: int) -> int:
        return int(sum(self.gather(add.s(n, 1), add.s(n, 2))))

    results = group(member.s(10), member.s(20)).apply_async()
    drain(app)

    assert results.get(timeout=1) == [23, 43]


def test_gathered_tasks_belong_to_the_task_that_waits_for_them(app: LiteQ) -> None:
    @app.task(bind=True)
    def child(self: Any) -> list[Any]:
        return [self.request.root_id, self.request.parent_id]

    result = bound(app, lambda self: self.gather(child.s())).delay()
    drain(app)

    assert result.get(timeout=1) == [[result.id, result.id]]


def test_the_failure_of_a_gathered_task_by_its_soft_time_limit_is_not_that_of_this_run(
    app: LiteQ,
) -> None:
    @app.task
    def slow() -> None:
        raise SoftTimeLimitExceeded(5)

    def task(self: Any) -> str:
        try:
            self.gather(slow.s())
        except SoftTimeLimitExceeded:
            return "told"
        return "not told"

    result = bound(app, task).delay()
    drain(app)

    assert result.get(timeout=1) == "told"
    assert [step.state for step in result.steps()] == ["failed"]


def test_a_store_that_is_away_for_a_while_fails_no_task_with_steps(
    app: LiteQ, add: Any, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    def task(self: Any) -> Any:
        failing = iter([BrokerLocked("another process"), BrokerUnreachable("no server")] * 3)
        for verb in ("steps", "settle", "fetch"):
            monkeypatch.setattr(app.broker, verb, away(getattr(app.broker, verb), failing))
        return self.step("charge", till.charge, 1), self.gather(add.s(1, 1))

    def away(verb: Callable[..., Any], failing: Iterator[Exception]) -> Callable[..., Any]:
        calls = iter([*islice(failing, 2), None])

        def call(*args: Any, **options: Any) -> Any:
            error = next(calls, None)
            if error is not None:
                raise error
            return verb(*args, **options)

        return call

    result = bound(app, task).delay()
    drain(app, limit=1)
    monkeypatch.undo()
    drain(app)

    assert result.get(timeout=1) == ({"paid": 1}, [2])
    assert till.charged == [1]


def test_a_gathered_task_whose_result_is_gone_is_an_error(app: LiteQ, add: Any) -> None:
    def task(self: Any) -> Any:
        return self.gather(add.s(1, 1))

    result = bound(app, task).delay()
    drain(app, limit=2)
    (member,) = (e for e in app.broker.listing(list(Phase), 9) if e.message.task == "add")
    assert isinstance(app.broker, MemoryBroker)
    del app.broker._tables.tasks[member.message.id]
    drain(app)

    with pytest.raises(Exception, match="was deleted before it was gathered"):
        result.get(timeout=1)


# snoozing


@pytest.mark.parametrize("when", [30, 30.0, timedelta(seconds=30)])
def test_a_snooze_puts_the_task_back_and_costs_no_retry(
    app: LiteQ, clock: ManualClock, when: Any
) -> None:
    runs: list[int] = []

    def task(self: Any) -> int:
        runs.append(self.request.retries)
        if len(runs) < 3:
            raise Snooze(when)
        return int(self.request.retries)

    result = bound(app, task, max_retries=0, acks_late=False).delay()
    drain(app)
    assert record(app, result.id).phase is Phase.SCHEDULED
    assert record(app, result.id).message.eta == clock() + 30
    for _ in range(2):
        clock.advance(30)
        drain(app)

    assert result.get(timeout=1) == 0
    assert outcomes(app, result.id) == ["snoozed", "snoozed", "succeeded"]
    assert app.broker.attempts(result.id)[0].error == f"put back for {when}" + (
        "" if isinstance(when, timedelta) else " s"
    )


def test_a_snooze_may_be_until_a_moment(app: LiteQ, clock: ManualClock) -> None:
    moment = datetime.fromtimestamp(clock() + 90, UTC)

    def task(self: Any) -> None:
        raise Snooze(moment)

    result = bound(app, task).delay()
    drain(app)

    assert record(app, result.id).message.eta == clock() + 90


# elsewhere than in a worker


def test_a_direct_call_and_apply_run_steps_plainly_and_remember_them(
    app: LiteQ, till: Till, add: Any
) -> None:
    def order(self: Any, amount: int) -> Any:
        paid = self.step("charge", till.charge, amount)
        self.sleep("cool down", days=3)
        approved = self.wait_for("approved")
        sums = self.gather(add.s(1, 1), add.s(2, 2))
        if self.request.is_eager and self.request.retries < 2:
            raise self.retry(countdown=60)
        return [paid["paid"], approved, sums]

    task = bound(app, order)
    app.emit("approved", "yes")

    assert task(5) == [5, "yes", [2, 4]]
    assert task.apply((6,)).get() == [6, "yes", [2, 4]]
    app.conf.task_always_eager = True
    assert task.delay(7).get() == [7, "yes", [2, 4]]
    assert till.charged == [5, 6, 7]


def test_a_direct_call_in_a_task_has_steps_of_its_own(app: LiteQ, till: Till) -> None:
    def inner(self: Any) -> Any:
        return self.step("charge", till.charge, 1)

    inner_task = bound(app, inner, name="inner")

    def outer(self: Any) -> Any:
        self.step("charge", till.charge, 2)
        return inner_task()

    result = bound(app, outer).delay()
    drain(app)

    assert result.get(timeout=1) == {"paid": 1}
    assert till.charged == [2, 1]
    assert len(app.broker.steps(result.id)) == 1


def test_a_step_where_no_task_runs_is_refused(app: LiteQ, till: Till) -> None:
    """It could not be stored, and would be taken for one of whatever runs there next."""
    task = bound(app, lambda self: None)

    for call in (
        lambda: task.step("charge", till.charge, 1),
        lambda: task.sleep("nap", seconds=1),
        lambda: task.wait_for("key"),
        lambda: task.gather(task.s()),
    ):
        with pytest.raises(StepError, match="no task runs here"):
            call()
    assert till.charged == []


def test_a_step_in_a_thread_of_a_task_is_refused(app: LiteQ, till: Till) -> None:
    def task(self: Any) -> str:
        with ThreadPoolExecutor(1) as threads:
            return repr(threads.submit(self.step, "charge", till.charge, 1).exception())

    result = bound(app, task).delay()
    drain(app)

    assert "not in a thread that the task has started" in result.get(timeout=1)
    assert till.charged == []


def test_threads_with_the_context_of_a_task_have_its_steps(app: LiteQ) -> None:
    def task(self: Any) -> Any:
        async def all_of_them() -> Any:
            calls = (asyncio.to_thread(self.step, f"double {n}", (2).__mul__, n) for n in range(3))
            values: list[int] = await asyncio.gather(*calls)
            return values

        return asyncio.run(all_of_them())

    result = bound(app, task).delay()
    drain(app)

    assert result.get(timeout=1) == [0, 2, 4]
    assert len(app.broker.steps(result.id)) == 3


def test_nothing_waits_for_an_event_in_a_direct_call(app: LiteQ) -> None:
    with pytest.raises(EventTimeoutError, match="'approved' was not emitted before: a direct call"):
        waiter(app)("approved")


def test_names_are_checked_in_a_direct_call_too(app: LiteQ, till: Till) -> None:
    def task(self: Any) -> None:
        self.step("charge", till.charge, 1)
        self.step("charge", till.charge, 1)

    with pytest.raises(StepError):
        bound(app, task)()


def test_a_snooze_in_apply_is_a_failure(app: LiteQ) -> None:
    def task(self: Any) -> None:
        raise Snooze(30)

    result = bound(app, task).apply()

    assert result.state == "FAILURE"
    assert isinstance(result.result, Snooze)


# what another program has stored


def test_steps_that_cannot_be_decoded_fail_only_their_task(app: LiteQ, till: Till) -> None:
    def task(self: Any) -> Any:
        return self.step("charge", till.charge, 1)

    result = bound(app, task).delay()
    assert isinstance(app.broker, MemoryBroker)
    bad = Step("charge", "step", 0.0, None, b"\xff", "json")
    app.broker._tables.add_step(result.id, bad)
    drain(app)

    with pytest.raises(SerializationError):
        result.get(timeout=1)
    assert till.charged == []


def test_the_ids_of_gathered_tasks_that_are_no_json_fail_only_their_task(
    app: LiteQ, add: Any
) -> None:
    result = bound(app, lambda self: self.gather(add.s(1, 1))).delay()
    assert isinstance(app.broker, MemoryBroker)
    for value in (b"\xff", b"5", b'[[["x"]]]', json.dumps([[[5, None], None]]).encode()):
        app.broker._tables.add_step(result.id, Step("gather", "gather", 0.0, None, value))
        drain(app)
        assert result.state == "FAILURE"
        app.broker.revive([result.id])
