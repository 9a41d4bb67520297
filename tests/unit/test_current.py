"""The current app, the current task, and shared tasks."""

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock
from weakref import WeakSet

import pytest

from liteq import AsyncResult, LiteQ, Task, current_app, current_task, shared_task, signature
from liteq.result import app as apps
from liteq.testing import MemoryBroker, drain


@pytest.fixture(autouse=True)
def _nothing_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps, "_app", None)
    monkeypatch.setattr(apps, "_default", None)
    monkeypatch.setattr(apps, "_before_any", None)
    monkeypatch.setattr(apps, "_shared", [])
    monkeypatch.setattr(apps, "_apps", WeakSet())


def make(main: str, **options: Any) -> LiteQ:
    return LiteQ(main, broker=MemoryBroker(), **options)


def test_the_newest_app_is_the_current_one_in_all_threads() -> None:
    make("old")
    app = make("new")
    make("aside", set_as_current=False)
    seen = []

    thread = threading.Thread(target=lambda: seen.append(current_app.main))
    thread.start()
    thread.join()

    assert current_app == app
    assert seen == ["new"]


def test_an_app_can_be_made_current_and_default() -> None:
    one, two = make("one"), make("two")

    one.set_current()
    two.set_default()
    assert current_app.main == "one"
    one.close()
    assert current_app.main == "two"


def test_without_an_app_there_is_a_default_one() -> None:
    @shared_task
    def double(n: int) -> int:
        return 2 * n

    assert current_app.conf.task_default_queue == "celery"
    assert current_app.tasks[double.name](4) == 8
    assert signature("other", (1,)).app == current_app


def test_proxies_are_instances_of_what_they_stand_for() -> None:
    app = make("one")

    class Mine(Task[..., Any]):
        pass

    @shared_task(base=Mine)
    def double(n: int) -> int:
        return 2 * n

    assert isinstance(double, Mine)
    assert isinstance(current_app, LiteQ)
    assert not isinstance(double, LiteQ)
    assert not isinstance(current_task, Task)  # none runs
    assert type(app.tasks[double.name]) is double.__class__


def test_an_app_that_is_made_takes_the_place_of_the_default_one() -> None:
    @shared_task
    def double(n: int) -> int:
        return 2 * n

    class Early:  # as in a module that is imported before the app is made
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        call = double.s(21)
        result: AsyncResult[Any] = AsyncResult("of-no-task")

        @current_app.task
        def own(n: int) -> int:  # noqa: N805
            return -n

    assert "__main__" in repr(Early.result.app)
    app = make("late", task_default_queue="mail")
    results = [Early.call.delay(), Early.own.delay(5)]
    drain(app, queues=["mail"])

    assert current_app == app
    assert {double.name, Early.own.name} <= set(app.tasks)
    assert [each.get(timeout=0) for each in results] == [42, -5]
    assert Early.result.app.conf is Early.app.conf is app.conf
    assert not Early.result.exists()


def test_tasks_that_the_default_app_is_given_are_in_those_that_exist_too() -> None:
    aside = make("aside", set_as_current=False)

    @current_app.task(name="mine", bind=True)
    def mine(self: Any) -> Any:
        return self.app

    assert aside.tasks["mine"].app is aside
    assert mine() == current_app


def test_a_program_that_makes_no_app_is_warned_where_its_tasks_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("LITEQ_BROKER_URL", raising=False)

    with pytest.warns(UserWarning, match=r"no application was made, .*default\.db.*LiteQ\("):
        result = signature("nowhere").delay()

    assert result.exists()
    current_app.close()


def test_inside_a_task_its_app_and_the_task_are_current() -> None:
    app = make("mine")
    make("other")
    seen = []

    @app.task
    def look() -> None:
        seen.append((current_app.main, current_task.name))

    look.delay()
    drain(app)

    assert seen == [("mine", f"{__name__}.look")]


def test_outside_a_task_there_is_no_current_task() -> None:
    assert bool(current_task) is False
    assert make("mine").current_task is None


def test_a_shared_task_may_be_defined_before_any_app() -> None:
    @shared_task
    def double(n: int) -> int:
        return 2 * n

    app = make("late")
    result = double.delay(21)
    drain(app)

    assert double.name in app.tasks
    assert double(4) == 8
    assert result.get(timeout=0) == 42


def test_a_shared_task_is_that_of_the_current_app_at_each_use() -> None:
    one, two = make("one"), make("two")

    @shared_task(bind=True, name="whoami")
    def whoami(self: Any) -> str:
        return str(self.app.main)

    one.set_current()
    assert (whoami(), whoami.app) == ("one", one)
    two.set_current()
    assert (whoami(), whoami.app) == ("two", two)
    assert one.tasks["whoami"] is not two.tasks["whoami"]


def test_a_shared_task_in_the_script_has_the_name_of_each_app() -> None:
    one, two = make("one"), make("two")

    def job() -> None: ...

    job.__module__ = "__main__"
    shared_task(job)

    assert ("one.job" in one.tasks, "two.job" in two.tasks) == (True, True)


def test_a_shared_task_can_be_pickled_and_compared() -> None:
    app = make("one")

    @shared_task
    def job() -> None: ...

    assert pickle.loads(pickle.dumps(job)) is app.tasks[job.name]
    assert job == app.tasks[job.name]
    assert hash(job) == hash(app.tasks[job.name])


def test_a_proxy_can_be_written_to() -> None:
    app = make("one")
    current_app.main = "renamed"

    assert app.main == "renamed"
    assert "conf" in dir(current_app)


def test_a_method_of_a_shared_task_can_be_patched_and_restored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = make("one")

    @shared_task
    def send(n: int) -> int:
        return n

    with mock.patch.object(send, "delay") as delay:
        send.delay(3)
    with monkeypatch.context() as patch:
        patch.setattr(send, "delay", lambda n: -n)
        assert send.delay(4) == -4
    with monkeypatch.context() as patch:
        patch.setattr(current_app, "main", "patched")
        assert app.main == "patched"

    delay.assert_called_once_with(3)
    assert app.main == "one"
    assert send.delay(5).id


def test_an_app_without_references_is_not_kept_alive() -> None:
    import gc

    def forgotten() -> Callable[[], int]:
        make("gone", set_as_current=False)
        return lambda: sum(app.main == "gone" for app in apps._apps)

    count = forgotten()
    gc.collect()
    assert count() == 0
