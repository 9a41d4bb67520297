"""Tasks: calls, hooks, retries, and `apply`."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from liteq import LiteQ, Task, shared_task
from liteq.exceptions import (
    Ignore,
    ImproperlyConfigured,
    InvalidTaskError,
    MaxRetriesExceededError,
    Reject,
    Retry,
)
from liteq.result import EagerResult
from liteq.testing import ManualClock, drain

from .conftest import make_task, message_of


class Oops(Exception):
    """An exception of a task."""


# calling


def test_a_direct_call_calls_the_function(app: LiteQ) -> None:
    @app.task(bind=True)
    def look(self: Any, x: int) -> Any:
        return x, self.request.called_directly, self.request.args, self.request.id

    assert look(5) == (5, True, (5,), None)
    with pytest.raises(TypeError):
        look()


def test_arguments_are_checked_when_it_is_sent(app: LiteQ) -> None:
    @app.task(bind=True)
    def add(self: Any, x: int, y: int = 0) -> None: ...

    add.delay(1)
    add.delay(1, y=2)
    for wrong in ((), (1, 2, 3)):
        with pytest.raises(TypeError, match=r"^add\(\) "):
            add.delay(*wrong)
    with pytest.raises(TypeError, match="'z'"):
        add.apply_async((1,), {"z": 2})


def test_without_typing_it_is_the_worker_that_fails(app: LiteQ) -> None:
    add = app.task(name="add", typing=False)(lambda x, y: x + y)

    result = add.delay(1)
    drain(app)

    assert isinstance(result.get(timeout=0, propagate=False), TypeError)


def test_delay_calls_an_overridden_apply_async(app: LiteQ) -> None:
    class Loud(app.Task):  # type: ignore[name-defined,misc]
        def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
            return super().apply_async(args, kwargs, queue="loud", **options)

    assert app.task(name="t", base=Loud)(lambda: None).delay().queue == "loud"


def test_there_is_one_instance_that_keeps_what_is_set_on_it(app: LiteQ) -> None:
    @app.task(bind=True)
    def count(self: Any) -> int:
        self.n = getattr(self, "n", 0) + 1
        return int(self.n)

    results = [count.delay() for _ in range(3)]
    drain(app)

    assert [result.get(timeout=0) for result in results] == [1, 2, 3]


def test_an_overridden_call_is_entered_by_the_worker_and_its_run_is_no_direct_call(
    app: LiteQ,
) -> None:
    class Wrapped(app.Task):  # type: ignore[name-defined,misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return ["wrapped", super().__call__(*args, **kwargs)]

    @app.task(base=Wrapped, bind=True)
    def look(self: Any, again: bool = True) -> Any:
        inner = self(again=False) if again else None
        return self.request.called_directly, inner

    result = look.delay()
    drain(app)

    assert result.get(timeout=0) == ["wrapped", (False, ["wrapped", (True, None)])]
    assert look(again=False) == ["wrapped", (True, None)]


def test_a_task_can_be_pickled_and_says_what_it_is(app: LiteQ) -> None:
    task = app.task(name="t")(lambda: None)

    assert pickle.loads(pickle.dumps(task)) is task
    assert repr(task) == "<@task: t of <LiteQ project>>"


def test_a_class_without_run_says_so(app: LiteQ) -> None:
    class Empty(Task[[], None]):
        """A task without `run`."""

    task = app.register_task(Empty)

    with pytest.raises(NotImplementedError, match="Empty defines no run"):
        task()


def test_its_results_are_found_by_id(app: LiteQ) -> None:
    add = app.task(name="add")(lambda x: x)
    result = add.delay(5)
    drain(app)

    assert add.AsyncResult(result.id).get(timeout=0) == 5
    assert add.backend is app.backend


def test_limits_that_cannot_be_are_refused_when_it_is_sent(app: LiteQ) -> None:
    task = app.task(name="t", time_limit=5, soft_time_limit=6)(lambda: None)

    with pytest.raises(ValueError, match="soft_time_limit must be less than or equal"):
        task.delay()
    task.apply_async(soft_time_limit=4)


# hooks


class Hooked(Task[..., Any]):
    """A task that notes the calls of its hooks."""

    calls: list[Any]

    def bind(self, app: Any) -> None:
        super().bind(app)
        self.calls = []

    def before_start(self, *args: Any) -> None:
        self.calls.append(("before_start", *args))

    def on_success(self, *args: Any) -> None:
        self.calls.append(("on_success", *args))

    def on_failure(self, exc: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any) -> None:
        self.calls.append(("on_failure", exc.args, task_id, args, kwargs, "Oops" in str(einfo)))

    def on_retry(self, exc: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any) -> None:
        self.calls.append(("on_retry", exc.args, task_id, args, kwargs, "Oops" in str(einfo)))

    def after_return(
        self, status: Any, retval: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any
    ) -> None:
        self.calls.append(("after_return", status, task_id, args, kwargs, einfo is not None))


def hooked(app: LiteQ, function: Callable[..., Any]) -> list[Any]:
    """Return the calls of the hooks of a task, in all its attempts."""
    task = app.task(name="t", base=Hooked, bind=True, default_retry_delay=0)(function)
    task.apply_async((1,), {"y": 2}, task_id="id")
    drain(app)
    calls: list[Any] = task.calls
    return calls


CALL = ("id", (1,), {"y": 2})


def test_hooks_of_a_task_that_succeeds(app: LiteQ) -> None:
    assert hooked(app, lambda self, x, y: x + y) == [
        ("before_start", *CALL),
        ("on_success", 3, *CALL),
        ("after_return", "SUCCESS", *CALL, False),
    ]


def test_hooks_of_a_task_that_fails(app: LiteQ) -> None:
    def fail(self: Any, x: int, y: int) -> None:
        raise Oops("no")

    assert hooked(app, fail) == [
        ("before_start", *CALL),
        ("on_failure", ("no",), *CALL, True),
        ("after_return", "FAILURE", *CALL, True),
    ]


def test_hooks_of_a_task_that_is_tried_again(app: LiteQ) -> None:
    def flaky(self: Any, x: int, y: int) -> None:
        if not self.request.retries:
            raise self.retry(exc=Oops("later"))

    assert [call[:2] for call in hooked(app, flaky)] == [
        ("before_start", "id"),
        ("on_retry", ("later",)),
        ("before_start", "id"),
        ("on_success", None),
        ("after_return", "SUCCESS"),
    ]


def test_a_task_that_raises_ignore_has_no_hooks_after(app: LiteQ) -> None:
    def ignore(self: Any, x: int, y: int) -> None:
        raise Ignore

    assert hooked(app, ignore) == [("before_start", *CALL)]


def test_only_what_is_overridden_is_called(app: LiteQ) -> None:
    assert app.task(name="plain")(lambda: None).hooks == frozenset()


@pytest.mark.parametrize("hook", ["on_success", "after_return"])
def test_a_hook_that_fails_is_logged_and_changes_nothing(
    app: LiteQ, hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Any, *args: Any) -> None:
        raise Oops("in a hook")

    result = make_task(app, lambda: 5, name="t", **{hook: broken}).delay()
    drain(app)

    assert result.get(timeout=0) == 5
    assert f"{hook} of t failed" in caplog.text


def test_before_start_is_part_of_the_task(app: LiteQ) -> None:
    def broken(self: Any, *args: Any) -> None:
        raise Oops("not today")

    result = app.task(name="t", before_start=broken)(lambda: 5).delay()
    drain(app)

    assert isinstance(result.get(timeout=0, propagate=False), Oops)


# retries


@pytest.fixture
def runs() -> list[Any]:
    """Return what the attempts of a task noted."""
    return []


def test_a_retry_is_the_same_task_once_more(app: LiteQ, runs: list[Any]) -> None:
    @app.task(bind=True)
    def flaky(self: Any, x: int, y: int) -> str:
        request = self.request
        runs.append((request.id, request.retries, x, y, request.delivery_info["priority"]))
        runs.append((request.headers, request.delivery_info["routing_key"]))
        if request.retries < 2:
            raise self.retry(exc=Oops("later"), countdown=0)
        return "done"

    options: dict[str, Any] = {"priority": 7, "queue": "mail", "headers": {"tenant": "blue"}}
    result = flaky.apply_async((1,), {"y": 2}, task_id="id", **options)
    drain(app)

    assert result.get(timeout=0) == "done"
    assert runs[::2] == [("id", n, 1, 2, 7) for n in range(3)]
    assert set(map(str, runs[1::2])) == {"({'tenant': 'blue'}, 'mail')"}


def test_a_retry_waits_for_its_countdown(app: LiteQ, clock: ManualClock) -> None:
    @app.task(bind=True)
    def later(self: Any) -> int:
        if not self.request.retries:
            raise self.retry(countdown=60)
        return 1

    result = later.delay()
    assert drain(app) == 1
    clock.advance(59)
    assert drain(app) == 0
    clock.advance(1)
    assert drain(app) == 1
    assert result.get(timeout=0) == 1


def test_without_a_countdown_it_waits_for_the_delay_of_the_task(
    app: LiteQ, clock: ManualClock
) -> None:
    @app.task(bind=True)
    def later(self: Any) -> None:
        raise self.retry()

    result = later.delay()
    drain(app)

    assert message_of(result).eta == clock.now + 180


def test_retries_come_to_an_end_with_the_reason(app: LiteQ, runs: list[Any]) -> None:
    @app.task(bind=True, max_retries=2)
    def hopeless(self: Any, limit: int | None = None) -> None:
        runs.append(self.request.retries)
        raise self.retry(exc=Oops("never"), countdown=0, max_retries=limit)

    result, longer = hopeless.delay(), hopeless.delay(4)
    drain(app)

    assert isinstance(result.get(timeout=0, propagate=False), Oops)
    assert isinstance(longer.get(timeout=0, propagate=False), Oops)
    assert sorted(runs) == [0, 0, 1, 1, 2, 2, 3, 4]


def test_retries_without_a_reason_end_with_an_error_that_says_so(app: LiteQ) -> None:
    @app.task(bind=True, max_retries=0, name="hopeless")
    def hopeless(self: Any, x: int) -> None:
        raise self.retry(countdown=0)

    result = hopeless.apply_async((5,), task_id="id")
    drain(app)

    with pytest.raises(MaxRetriesExceededError, match=r"Can't retry hopeless\[id\] args:\(5,\)"):
        result.get(timeout=0)


def test_a_retry_may_have_other_arguments(app: LiteQ, runs: list[Any]) -> None:
    @app.task(bind=True, max_retries=None)
    def change(self: Any, x: int, y: int = 0) -> None:
        runs.append((x, y))
        match self.request.retries:
            case 0:
                raise self.retry(args=(3,), countdown=0)
            case 1:
                raise self.retry(kwargs={"x": 5}, countdown=0)
            case 2:
                raise self.retry(args=(6,), kwargs={"y": 7}, countdown=0)

    change.delay(1, y=2)
    drain(app)

    assert runs == [(1, 2), (3, 2), (5, 0), (6, 7)]


def test_a_retry_may_have_other_options_that_stay(app: LiteQ, runs: list[Any]) -> None:
    @app.task(bind=True)
    def change(self: Any, x: int) -> None:
        runs.append((self.request.headers, self.request.time_limit, x))
        if not self.request.retries:
            raise self.retry(headers={"attempt": 2}, time_limit=9, expires=None, countdown=0)

    change.apply_async((1,), headers={"attempt": 1})
    drain(app)

    assert runs == [({"attempt": 1}, None, 1), ({"attempt": 2}, 9, 1)]


def test_a_retry_can_go_to_another_queue_with_other_options(
    app: LiteQ, runs: list[Any], clock: ManualClock
) -> None:
    @app.task(bind=True)
    def move(self: Any) -> None:
        message = self.request.message
        runs.append((message.queue, message.priority, message.serializer, message.expires))
        if not self.request.retries:
            changes = {"queue": "other", "priority": 7, "serializer": "json", "expires": 9}
            raise self.retry(countdown=0, **changes)

    result = move.delay()
    drain(app)

    assert runs == [("celery", 0, "pickle", None), ("other", 7, "json", clock() + 9)]
    assert result.successful()


def test_a_retry_keeps_what_it_does_not_change(app: LiteQ, runs: list[Any]) -> None:
    @app.task(bind=True)
    def stay(self: Any) -> None:
        message = self.request.message
        runs.append((self.request.id, message.queue, message.priority, self.request.headers))
        if not self.request.retries:
            raise self.retry(countdown=0, shadow="other name")

    stay.apply_async(task_id="a", queue="mail", priority=3, headers={"k": 1})
    drain(app)

    assert runs == [("a", "mail", 3, {"k": 1})] * 2


def test_the_policy_of_the_app_holds_for_tasks_without_one(app: LiteQ, runs: list[Any]) -> None:
    app.conf.task_retry_policy = {"autoretry_for": (OSError,), "max_retries": 1}
    kwargs = {"countdown": 0}

    @app.task(retry_kwargs=kwargs)
    def plain() -> None:
        runs.append("plain")
        raise OSError

    @app.task(retry_kwargs=kwargs, autoretry_for=())
    def own() -> None:
        runs.append("own")
        raise OSError

    plain.delay()
    own.delay()
    drain(app)

    assert sorted(runs) == ["own", "plain", "plain"]


def test_a_policy_is_about_retries_only(app: LiteQ) -> None:
    app.conf.task_retry_policy = {"max_retry": 1}

    with pytest.raises(ImproperlyConfigured, match="did you mean 'max_retries'"):
        app.finalize()
    app.conf.task_retry_policy = {}  # other tests share tasks, with this app too while it is there


def test_without_throw_the_task_goes_on_and_is_run_again(app: LiteQ, runs: list[Any]) -> None:
    @app.task(bind=True)
    def soft(self: Any) -> str:
        runs.append(self.request.retries)
        if not self.request.retries:
            assert isinstance(self.retry(countdown=0, throw=False), Retry)
        return f"attempt {self.request.retries}"

    result = soft.delay()
    drain(app)

    assert runs == [0, 1]
    assert result.get(timeout=0) == "attempt 1"


def test_a_retry_with_an_invalid_time_fails_the_task_at_once(app: LiteQ) -> None:
    @app.task(bind=True)
    def wrong(self: Any) -> None:
        raise self.retry(countdown=float("nan"))

    result = wrong.delay()
    drain(app)

    assert isinstance(result.get(timeout=0, propagate=False), InvalidTaskError)


def test_called_directly_a_retry_is_the_reason(app: LiteQ) -> None:
    @app.task(bind=True)
    def flaky(self: Any, exc: Exception | None = None) -> None:
        raise self.retry(exc=exc)

    with pytest.raises(Oops):
        flaky(Oops("no"))
    with pytest.raises(Retry, match="Task can be retried"):
        flaky()


def failing(app: LiteQ, exc: Exception, **options: Any) -> Any:
    """Return the record of a task that raises `exc`, after its first run."""

    def fail() -> None:
        raise exc

    result = make_task(app, fail, name="t", **options).delay()
    drain(app)
    message = message_of(result)
    return result.state, message.retries, message.eta


def test_errors_in_autoretry_for_are_tried_again(app: LiteQ, clock: ManualClock) -> None:
    def after(exc: Exception, **more: Any) -> Any:
        app.tasks.pop("t", None)
        return failing(app, exc, autoretry_for=[OSError], retry_kwargs={"countdown": 5}, **more)

    again, failed = ("RETRY", 1, clock.now + 5), ("FAILURE", 0, None)
    assert after(OSError()) == again
    assert after(FileNotFoundError()) == again
    assert after(Oops()) == failed
    assert after(FileNotFoundError(), dont_autoretry_for=(FileNotFoundError,)) == failed
    assert after(OSError(), max_retries=0) == failed


@pytest.mark.parametrize("exc", [Ignore(), Reject("no")])
def test_what_is_no_error_is_never_retried(app: LiteQ, exc: Exception) -> None:
    assert failing(app, exc, autoretry_for=(Exception,))[1] == 0


def test_backoff_doubles_the_wait(app: LiteQ, clock: ManualClock, runs: list[Any]) -> None:
    @app.task(autoretry_for=(Oops,), retry_backoff=3, retry_backoff_max=10, retry_jitter=False)
    def fail() -> None:
        runs.append(clock.now)
        raise Oops

    fail.delay()
    for _ in range(20):
        drain(app)
        clock.advance(1)

    assert [later - runs[0] for later in runs] == [0, 3, 9, 19]


def test_jitter_keeps_within_the_wait(app: LiteQ, clock: ManualClock) -> None:
    _, _, eta = failing(app, Oops(), autoretry_for=(Oops,), retry_backoff=100)

    assert clock.now <= eta <= clock.now + 100


# here and now


def test_apply_runs_it_here_and_holds_the_value(app: LiteQ) -> None:
    @app.task(bind=True)
    def look(self: Any, x: int) -> Any:
        request = self.request
        return x, request.id, request.is_eager, request.called_directly, request.root_id

    result = look.apply((5,), task_id="mine")

    assert isinstance(result, EagerResult)
    assert result.get() == (5, "mine", True, False, "mine")
    assert (result.state, result.name, app.broker.counts()) == ("SUCCESS", look.name, [])


def test_apply_holds_the_error_unless_it_is_to_be_thrown(app: LiteQ) -> None:
    @app.task
    def fail() -> None:
        raise Oops("no")

    result = fail.apply()

    assert isinstance(result.get(propagate=False), Oops)
    assert (result.state, "Oops: no" in (result.traceback or "")) == ("FAILURE", True)
    with pytest.raises(Oops):
        result.get()
    with pytest.raises(Oops):
        fail.apply(throw=True)
    app.conf.task_eager_propagates = True
    with pytest.raises(Oops):
        fail.apply()
    assert fail.apply(throw=False).failed()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_apply_raises_what_ends_the_program(app: LiteQ, kind: type[BaseException]) -> None:
    @app.task
    def stop() -> None:
        raise kind

    with pytest.raises(kind):
        stop.apply()


def test_always_eager_may_be_set_at_any_time(app: LiteQ) -> None:
    add = app.task(name="add")(lambda x, y: x + y)
    app.conf.task_always_eager = True

    assert add.delay(1, 2).get() == 3
    assert add.s(1).delay(2).get() == 3
    assert app.send_task("add", (1, 2)).get() == 3
    assert [r.get() for r in app.enqueue_many([add.s(1, 2)])] == [3]
    assert [r.get() for r in add.delay_many([(1, 2), [3, 4]])] == [3, 7]
    with pytest.raises(TypeError):
        add.delay(1)
    app.conf.task_always_eager = False
    assert add.delay(1, 2).state == "PENDING"


def test_apply_retries_at_once_and_without_leaking_the_retry(app: LiteQ, runs: list[Any]) -> None:
    @app.task(bind=True)
    def flaky(self: Any, x: int) -> int:
        runs.append((self.request.id, self.request.retries, x))
        if self.request.retries < 2:
            raise self.retry(args=(x + 1,), exc=Oops("later"), countdown=3600)
        return x

    result = flaky.apply((5,), task_id="id")

    assert (result.get(), result.state) == (7, "SUCCESS")
    assert runs == [("id", 0, 5), ("id", 1, 6), ("id", 2, 7)]


def test_apply_gives_up_as_a_worker_would(app: LiteQ) -> None:
    @app.task(autoretry_for=(Oops,), max_retries=1)
    def fail() -> None:
        raise Oops

    assert isinstance(fail.apply().get(propagate=False), Oops)


@pytest.mark.parametrize(
    ("exc", "state", "value"),
    [(Ignore(), "SUCCESS", None), (Reject("no"), "FAILURE", Reject)],
)
def test_apply_honours_ignore_and_reject(
    app: LiteQ, exc: Exception, state: str, value: Any
) -> None:
    @app.task
    def say() -> None:
        raise exc

    result = say.apply()

    assert result.state == state
    assert result.get(propagate=False) is value or isinstance(result.info, value)


def test_nested_apply_knows_parent_and_root(app: LiteQ) -> None:
    @app.task(bind=True)
    def nested(self: Any, ids: list[str]) -> Any:
        me = (self.request.id, self.request.parent_id, self.request.root_id)
        inner = nested.apply((ids[1:],), task_id=ids[0]).get() if ids else []
        return [me, *inner]

    assert nested.apply((["b", "c"],), task_id="a").get() == [
        ("a", None, "a"),
        ("b", "a", "a"),
        ("c", "b", "a"),
    ]


def test_apply_refuses_unknown_options_too(app: LiteQ) -> None:
    with pytest.raises(TypeError, match="'quue'"):
        app.task(name="t")(lambda: None).apply(quue="x")  # type: ignore[call-arg]


def test_a_report_outside_a_worker_is_for_tasks_of_the_store_only(app: LiteQ) -> None:
    @app.task(bind=True)
    def tell(self: Any, id: str | None = None) -> str:
        self.update_state(id, state="HALF", meta=50)
        return "done"

    waiting = tell.delay()
    assert tell() == "done"
    assert tell.apply().get() == "done"
    assert waiting.state == "PENDING"
    tell(waiting.id)
    assert (waiting.state, waiting.info) == ("HALF", 50)


# ids of one's own


def test_a_finished_id_can_be_sent_again(app: LiteQ, calls: list[Any]) -> None:
    def divide(n: Any) -> Any:
        calls.append(n)
        return 10 // n

    report = make_task(app, divide, name="report")
    ways: list[Callable[[int], Any]] = [
        lambda n: report.apply_async((n,), task_id="mine"),
        lambda n: app.send_task(report.name, (n,), task_id="mine"),
        lambda n: report.s(n).set(task_id="mine").delay(),
        lambda n: report.apply_async((n,), task_id="mine", link=report.si(1)),
        lambda n: app.send_task(report.name, (n,), task_id="mine", link_error=report.si(1)),
    ]
    for n, send in enumerate(ways):
        result = send(n)
        drain(app)

        assert not result.duplicate
        assert result.get(timeout=0, propagate=False) == (10 // n if n else result.result)
    assert [n for n in calls if n != 1] == [0, 2, 3, 4]


def test_an_id_that_waits_or_runs_is_kept_and_the_result_tells(
    app: LiteQ, calls: list[Any]
) -> None:
    report = make_task(app, calls.append, name="report")
    first = report.apply_async((1,), task_id="mine")
    seconds = [
        report.apply_async((2,), task_id="mine"),
        app.send_task(report.name, (2,), task_id="mine"),
        report.apply_async((2,), task_id="mine", link=report.si(2)),
    ]
    drain(app)

    assert not first.duplicate
    assert [each.duplicate for each in seconds] == [True, True, True]
    assert calls == [1]
    assert report.delay(3).duplicate is False


def test_options_may_have_the_names_of_parameters(app: LiteQ) -> None:
    task: Any = app.task(self=1, function=2, name="job")(lambda: None)

    assert (task.self, task.function) == (1, 2)
    with pytest.raises(ImproperlyConfigured, match="'app' cannot be an option"):
        app.task(app=5)(lambda: None)
    shared_task(self=1, name="shared")(lambda: None)
    shared: Any = app.tasks["shared"]
    assert shared.self == 1


@pytest.mark.parametrize("base", [5, "Task", object, object()])
def test_a_base_that_is_no_class_of_tasks_is_refused(app: LiteQ, base: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"task job: base is .*, but must be a class"):
        app.task(base=base, name="job")(lambda: None)
