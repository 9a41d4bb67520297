"""The result of a task, in each of its states."""

import builtins
import pickle
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from liteq import AsyncResult, LiteQ
from liteq.brokers.base import Claim
from liteq.exceptions import (
    ContentDisallowed,
    RemoteError,
    TaskRevokedError,
    TimeoutError,
    WorkerLostError,
)
from liteq.model.message import Delivery
from liteq.model.outcome import Settlement
from liteq.result import EagerResult, allow_join_result, denied_join_result, result_from_tuple
from liteq.states import Phase
from liteq.testing import ManualClock, MemoryBroker, drain


class Oops(Exception):
    """An exception of a task."""


@pytest.fixture
def add(app: LiteQ) -> Any:
    @app.task(name="add")
    def add(x: int, y: int = 0) -> int:
        return x + y

    return add


@pytest.fixture
def fail(app: LiteQ) -> Any:
    @app.task(name="fail")
    def fail() -> None:
        raise Oops("no", 1)

    return fail


def claim(broker: MemoryBroker) -> Delivery:
    worker = broker.register("me@here", "{}")
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    return delivery


def settle(broker: MemoryBroker, phase: Phase, **more: Any) -> None:
    broker.settle([Settlement(claim(broker).receipt, phase, broker.clock(), **more)])


# states


def test_an_unknown_id_is_pending_and_does_not_exist(app: LiteQ) -> None:
    result = app.AsyncResult("nobody")

    assert (result.state, result.status, result.ready()) == ("PENDING", "PENDING", False)
    assert not result.exists()
    assert (result.result, result.name, result.args, result.worker) == (None, None, None, None)
    assert (result.date_done, result.traceback, result.retries) == (None, None, None)


def test_a_task_that_waits_is_pending_and_exists(add: Any) -> None:
    result = add.delay(2, y=3)

    assert (result.state, result.ready(), result.exists()) == ("PENDING", False, True)
    assert (result.name, result.args, result.kwargs) == ("add", (2,), {"y": 3})
    assert (result.queue, result.worker, result.retries) == ("celery", None, 0)


def test_a_task_that_succeeded(app: LiteQ, add: Any, clock: ManualClock) -> None:
    result = add.delay(2, 3)
    drain(app)

    assert (result.state, result.ready(), result.successful(), result.failed()) == (
        "SUCCESS",
        True,
        True,
        False,
    )
    assert result.get(timeout=0) == result.result == result.info == 5
    assert result.date_done == datetime.fromtimestamp(clock.now, UTC)
    assert result.worker == "drain"


def test_a_task_that_failed_raises_its_own_exception(app: LiteQ, fail: Any) -> None:
    result = fail.delay()
    drain(app)

    assert (result.state, result.ready(), result.successful(), result.failed()) == (
        "FAILURE",
        True,
        False,
        True,
    )
    with pytest.raises(Oops) as caught:
        result.get(timeout=0)
    assert caught.value.args == ("no", 1)
    assert 'raise Oops("no", 1)' in result.traceback
    assert result.traceback in caught.value.__notes__[0]
    with pytest.raises(Oops):
        result.maybe_throw()


def test_without_propagate_the_exception_is_returned(app: LiteQ, fail: Any) -> None:
    result = fail.delay()
    drain(app)

    assert isinstance(result.get(timeout=0, propagate=False), Oops)
    assert isinstance(result.result, Oops)


@pytest.mark.parametrize("tracked", [False, True])
def test_a_running_task_is_started(
    app: LiteQ, add: Any, broker: MemoryBroker, tracked: bool
) -> None:
    app.conf.task_track_started = tracked
    result = add.delay(1)
    assert (result.state, result.phase) == ("PENDING", Phase.READY)

    claim(broker)
    assert (result.state, result.phase, result.info) == ("STARTED", Phase.RUNNING, None)


def test_the_phase_tells_expired_and_cancelled_tasks_apart(app: LiteQ, add: Any) -> None:
    expired, cancelled = add.apply_async((1,), expires=-1), add.delay(2)
    cancelled.revoke()
    drain(app)

    assert (expired.state, expired.phase) == ("REVOKED", Phase.EXPIRED)
    assert (cancelled.state, cancelled.phase) == ("REVOKED", Phase.CANCELLED)
    assert app.AsyncResult("unknown").phase is None
    assert add.apply((1,)).phase is Phase.SUCCEEDED


def test_a_task_between_two_attempts_has_the_reason_of_the_retry(app: LiteQ) -> None:
    @app.task(bind=True)
    def later(self: Any) -> None:
        raise self.retry(exc=Oops("not yet"), countdown=60)

    result = later.delay()
    drain(app)

    assert (result.state, result.ready(), result.retries) == ("RETRY", False, 1)
    assert isinstance(result.result, Oops)
    assert "not yet" in (result.traceback or "")
    assert not result.failed()


def test_a_task_that_was_revoked(app: LiteQ, add: Any) -> None:
    result = add.delay(1)
    result.revoke()

    assert (result.state, result.ready(), result.failed(), result.successful()) == (
        "REVOKED",
        True,
        False,
        False,
    )
    with pytest.raises(TaskRevokedError, match="revoked"):
        result.get(timeout=0)
    assert isinstance(result.get(propagate=False), TaskRevokedError)
    assert drain(app) == 0


def test_revoking_can_wait_for_the_end(add: Any) -> None:
    result = add.delay(1)
    result.revoke(terminate=True, wait=True, timeout=5)

    assert result.state == "REVOKED"


def test_a_task_that_expired(app: LiteQ, add: Any, clock: ManualClock) -> None:
    result = add.apply_async((1,), expires=1)
    clock.advance(2)
    drain(app)

    assert result.state == "REVOKED"
    with pytest.raises(TaskRevokedError, match="expired"):
        result.get(timeout=0)


def test_a_task_whose_process_died_says_why(add: Any, broker: MemoryBroker) -> None:
    result = add.delay(1)
    settle(broker, Phase.DEAD, traceback="signal 9 (SIGKILL)")

    assert (result.state, result.failed()) == ("FAILURE", True)
    with pytest.raises(WorkerLostError, match="SIGKILL"):
        result.get(timeout=0)


def test_what_a_task_reports_is_seen_until_it_has_finished(
    app: LiteQ, broker: MemoryBroker
) -> None:
    seen = []

    @app.task(bind=True)
    def work(self: Any) -> str:
        self.update_state(state="PROGRESS", meta={"done": 50})
        result = self.AsyncResult(self.request.id)
        seen.append((result.state, result.info, result.ready()))
        return "done"

    result = work.delay()
    drain(app)

    assert seen == [("PROGRESS", {"done": 50}, False)]
    assert (result.state, result.info) == ("SUCCESS", "done")


def test_a_reported_state_with_a_famous_name_is_not_the_end(
    add: Any, app: LiteQ, broker: MemoryBroker
) -> None:
    result = add.delay(1)
    app.report(result.id, "FAILURE", {"why": "so"})

    assert (result.state, result.info, result.ready()) == ("FAILURE", {"why": "so"}, False)


# ignored results


def test_an_ignored_result_is_none_at_once(app: LiteQ, add: Any) -> None:
    result = add.apply_async((1,), ignore_result=True)

    assert result.ignored
    assert result.get() is None
    drain(app)
    assert (result.state, result.result) == ("SUCCESS", None)
    assert app.AsyncResult(result.id).get(timeout=0) is None


def test_the_error_of_an_ignored_task_is_that_of_its_traceback(app: LiteQ, fail: Any) -> None:
    result = fail.apply_async(ignore_result=True)
    drain(app)

    with pytest.raises(RemoteError, match="Oops"):
        app.AsyncResult(result.id).get(timeout=0)
    app.conf.task_store_errors_even_if_ignored = True
    result = fail.apply_async(ignore_result=True)
    drain(app)
    with pytest.raises(Oops):
        app.AsyncResult(result.id).get(timeout=0)


# waiting


def test_a_timeout_is_celerys_and_pythons_and_says_what_is_known(app: LiteQ, add: Any) -> None:
    result = add.delay(1)
    alone = r"is PENDING after 0\.01 seconds \(no worker serves the queue 'celery'\)$"
    with pytest.raises(TimeoutError, match=alone):
        result.get(timeout=0.01)
    worker = app.broker.register("w@here", '{"queues": ["celery"]}')
    with pytest.raises(TimeoutError, match=r"is PENDING after 0\.01 seconds$"):
        result.get(timeout=0.01)
    app.broker.claim(Claim(worker, ("celery",), 1))
    with pytest.raises(TimeoutError, match=r"is running on w@here after 0\.01 seconds$"):
        result.get(timeout=0.01)
    assert result.state == "STARTED"
    with pytest.raises(TimeoutError, match="does not know it"):
        app.AsyncResult("nobody").get(timeout=0)
    assert issubclass(TimeoutError, builtins.TimeoutError)


def test_get_wakes_up_when_the_task_finishes(app: LiteQ, add: Any) -> None:
    result = add.delay(2, 3)
    looked = threading.Event()
    thread = threading.Thread(target=lambda: looked.wait(5) and drain(app))
    thread.start()

    assert result.get(timeout=10, on_interval=looked.set) == 5
    thread.join()


class Silent(MemoryBroker):
    """A store whose listener is never notified."""

    def result_listener(self) -> Any:
        waits: list[float] = []
        self.waits = waits

        class Listener:
            def fileno(self) -> int:
                return 0

            def expect(self, ids: object) -> None:
                pass

            def wait(self, timeout: float) -> bool:
                waits.append(timeout)
                return False

        return Listener()


def test_without_notifications_the_store_is_polled_at_least_twice_a_second() -> None:
    broker = Silent()
    app = LiteQ("x", broker=broker, set_as_current=False)
    add = app.task(name="add")(lambda x: x)

    def waits(interval: float) -> list[float]:
        result = add.delay(1)
        polls = iter(range(3))
        result.get(interval=interval, on_interval=lambda: next(polls, None) is None and drain(app))
        return broker.waits

    assert waits(0.01) == [0.01] * 3
    assert waits(60) == [0.5] * 3


def test_a_callback_gets_the_id_and_the_value(app: LiteQ, add: Any) -> None:
    result = add.delay(2, 3)
    drain(app)
    got = []

    result.get(callback=lambda id, value: got.append((id, value)))

    assert got == [(result.id, 5)]


def test_the_error_of_a_parent_is_raised_while_waiting(app: LiteQ, add: Any, fail: Any) -> None:
    parent = fail.delay()
    drain(app)
    never: AsyncResult[Any] = AsyncResult("never", app=app, parent=parent)

    with pytest.raises(Oops):
        never.get(timeout=5)
    with pytest.raises(TimeoutError):
        never.get(timeout=0, follow_parents=False)


def inside(app: LiteQ, add: Any, wait: Callable[[Any], Any]) -> Any:
    """Return the outcome of waiting for a result inside a task."""
    other = add.delay(1)

    @app.task(name=f"nested-{other.id}")
    def nested() -> Any:
        return wait(app.AsyncResult(other.id))

    result = nested.delay()
    drain(app)
    return result.get(timeout=0, propagate=False)


def test_get_inside_a_task_raises(app: LiteQ, add: Any) -> None:
    assert isinstance(inside(app, add, lambda r: r.get(timeout=0)), RuntimeError)


def test_get_inside_a_task_may_be_allowed(app: LiteQ, add: Any) -> None:
    def allowed(result: Any) -> Any:
        with allow_join_result():
            return result.get(timeout=0)

    def denied(result: Any) -> Any:
        with allow_join_result(), denied_join_result():
            return result.get(timeout=0)

    assert inside(app, add, lambda r: r.get(timeout=0, disable_sync_subtasks=False)) == 1
    assert inside(app, add, allowed) == 1
    assert isinstance(inside(app, add, denied), RuntimeError)


# bytes that cannot be read


def test_a_result_in_a_serializer_that_is_not_accepted_is_refused(app: LiteQ, add: Any) -> None:
    result = add.delay(1)
    drain(app)
    app.conf["result_accept_content"] = ["json"]

    assert result.state == "SUCCESS"
    with pytest.raises(ContentDisallowed, match="pickle"):
        result.get(timeout=0)


# itself


def test_forget_drops_what_is_stored(app: LiteQ, add: Any) -> None:
    result = add.delay(1)
    drain(app)
    result.get()

    result.forget()

    assert not result.exists()
    assert result.state == "PENDING"


def test_results_are_equal_by_id_and_to_the_id(app: LiteQ) -> None:
    one, same, other = (app.AsyncResult(id) for id in ("a", "a", "b"))

    assert one == same == "a"
    assert one != other
    assert len({one, same, other}) == 2
    assert (str(one), repr(one), one.task_id) == ("a", "<AsyncResult: a>", "a")


def test_the_repr_of_a_result_tells_a_state_that_is_known_already(app: LiteQ, add: Any) -> None:
    result = add.delay(1)
    drain(app)

    assert repr(result) == f"<AsyncResult: {result.id}>"
    assert result.get() == 1
    assert repr(result) == f"<AsyncResult: {result.id} SUCCESS>"


def test_a_result_can_be_pickled_and_turned_into_a_tuple(app: LiteQ) -> None:
    result: AsyncResult[Any] = app.AsyncResult("a", parent=app.AsyncResult("b"), ignored=True)

    copy = pickle.loads(pickle.dumps(result))
    assert (copy, copy.parent, copy.ignored) == ("a", "b", True)
    assert copy.app == app
    assert result.as_tuple() == (("a", (("b", None), None)), None)
    assert result.as_list() == ["a", "b"]
    restored = result_from_tuple(result.as_tuple(), app)
    assert restored.as_list() == ["a", "b"]
    assert result_from_tuple(result) is result


def test_a_finished_result_does_not_read_the_store_again(
    app: LiteQ, add: Any, broker: MemoryBroker
) -> None:
    result = add.delay(2, 3)
    drain(app)
    result.get()
    broker.forget([result.id])

    assert (result.get(), result.state) == (5, "SUCCESS")


# eager ones


def test_an_eager_result_has_everything_at_once(app: LiteQ) -> None:
    result: EagerResult[int] = EagerResult("a", 5, "SUCCESS", name="add", app=app)

    assert (result.get(), result.state, result.ready(), result.name) == (5, "SUCCESS", True, "add")
    assert (result.args, result.kwargs, result.exists()) == (None, None, True)
    result.forget()
    result.revoke()
    copy = pickle.loads(pickle.dumps(result))
    assert (copy.get(), copy.state, copy.name) == (5, "SUCCESS", "add")


@pytest.mark.parametrize(("state", "failed"), [("FAILURE", True), ("REVOKED", False)])
def test_an_eager_result_raises_what_it_holds(app: LiteQ, state: str, failed: bool) -> None:
    result: EagerResult[Any] = EagerResult("a", Oops("x"), state, "trace", app=app)

    assert (result.state, result.failed(), result.traceback) == (state, failed, "trace")
    with pytest.raises(Oops):
        result.get()
    assert isinstance(result.get(propagate=False), Oops)
