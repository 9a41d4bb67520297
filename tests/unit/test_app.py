"""The application: its settings, its tasks, its store."""

import inspect
import sys
import types
import warnings
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from liteq import Celery, LiteQ
from liteq.app.keywords import KEYWORDS
from liteq.brokers import connect
from liteq.exceptions import ImproperlyConfigured, PayloadTooLarge
from liteq.testing import ManualClock, MemoryBroker, drain
from tests.unit.conftest import message_of


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module with settings."""
    module = types.ModuleType("my_settings")
    module.task_default_queue = "mine"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_settings", module)
    return module


def quiet(*args: Any, **kwargs: Any) -> LiteQ:
    return LiteQ(*args, set_as_current=False, **kwargs)


# settings


def test_settings_are_keywords() -> None:
    app = quiet("x", broker="memory://", include=["a", "b"], task_default_queue="mine")

    assert (app.conf.broker_url, app.conf.include) == ("memory://", ("a", "b"))
    assert app.conf.task_default_queue == "mine"


def test_a_misspelt_setting_is_refused_at_once() -> None:
    with pytest.raises(ImproperlyConfigured, match="'task_serializer'"):
        quiet("x", task_serialiser="json")


def test_a_source_of_settings_is_read_when_one_is_asked_for(
    settings: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "my_settings")
    app = quiet("x", config_source="my_settings")
    monkeypatch.setitem(sys.modules, "my_settings", settings)

    assert app.conf.task_default_queue == "mine"


def test_a_source_that_is_not_there_is_an_error_each_time_until_it_is(
    settings: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = quiet("x")
    app.config_from_object("no_such_settings")

    for _ in range(2):
        with pytest.raises(ImproperlyConfigured, match="no_such_settings"):
            app.conf  # noqa: B018
    monkeypatch.setitem(sys.modules, "no_such_settings", settings)
    assert app.conf.task_default_queue == "mine"


def test_the_last_source_wins(settings: types.ModuleType) -> None:
    app = quiet("x", task_default_queue="first")
    app.config_from_object(settings)
    assert app.conf.task_default_queue == "mine"
    app.config_from_object({"CELERY_TASK_DEFAULT_QUEUE": "last"}, namespace="CELERY")
    assert app.conf.task_default_queue == "last"


def test_force_reads_it_now() -> None:
    with pytest.raises(ImproperlyConfigured):
        quiet("x").config_from_object({"task_serialiser": "json"}, force=True)


def test_a_silent_source_need_not_be_there(settings: types.ModuleType) -> None:
    app = quiet("x")
    app.config_from_object("no_such_package.settings", silent=True)
    app.config_from_object("no_such_settings", silent=True)

    assert app.conf.task_default_queue == "celery"


def test_the_environment_may_name_the_source(
    settings: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = quiet("x")
    with pytest.raises(ImproperlyConfigured, match="MY_CONFIG is not set"):
        app.config_from_envvar("MY_CONFIG")
    app.config_from_envvar("MY_CONFIG", silent=True)
    monkeypatch.setenv("MY_CONFIG", "my_settings")
    app.config_from_envvar("MY_CONFIG")

    assert app.conf.task_default_queue == "mine"


def test_signals_are_sent_once_before_and_after_configuring(settings: types.ModuleType) -> None:
    app = quiet("x", config_source=settings)
    sent = []

    @app.on_configure.connect
    def before(sender: LiteQ, **_: Any) -> None:
        sent.append(("before", sender, sender.conf.task_default_queue))

    @app.on_after_configure.connect
    def after(sender: LiteQ, source: Any, **_: Any) -> None:
        sent.append(("after", sender, source.task_default_queue))

    assert app.conf is app.conf
    assert sent == [("before", app, "celery"), ("after", app, "mine")]


class Wrapper:
    """Stand for another object, as Django's settings do."""

    def __init__(self, wrapped: object) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        value = self.__dict__[name] = getattr(self._wrapped, name)
        return value

    def __dir__(self) -> list[str]:
        return dir(self._wrapped)


def test_a_broker_itself_counts_before_settings_and_they_are_warned_of(
    settings: types.ModuleType,
) -> None:
    broker = MemoryBroker()
    app = quiet("x", broker=broker)
    settings.broker_url = "redis://elsewhere"  # type: ignore[attr-defined]
    app.config_from_object("my_settings")

    with pytest.warns(UserWarning, match=r"'broker_url' in my_settings does nothing.*memory:"):
        app.conf  # noqa: B018
    with pytest.warns(UserWarning, match="'broker_url' does nothing"):
        app.conf.broker_url = "redis://elsewhere"
    app.conf.broker_url = broker.address

    assert app.broker is broker


def test_a_source_that_conf_itself_has_read_is_read_through_to_as_well(
    settings: types.ModuleType,
) -> None:
    app = quiet("x", broker=MemoryBroker())
    app.conf.from_object(settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "task_default_queue", "patched")
        assert app.conf.task_default_queue == "patched"
    assert app.conf.task_default_queue != "patched"


def test_a_source_is_read_through_to_when_it_is_patched_and_restored(
    settings: types.ModuleType,
) -> None:
    app = quiet("x", config_source="my_settings", broker=MemoryBroker())
    task = app.task(name="t")(lambda: 5)
    assert task.delay().state == "PENDING"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "CELERY_TASK_ALWAYS_EAGER", True, raising=False)
        patch.setattr(settings, "task_default_queue", "patched")
        assert task.delay().get() == 5
        assert app.conf.task_default_queue == "patched"
        patch.setattr(settings, "task_time_limit", "x", raising=False)
        for _ in range(2):
            with pytest.raises(ImproperlyConfigured, match="'task_time_limit' in my_settings"):
                app.conf  # noqa: B018

    assert task.delay().state == "PENDING"
    assert message_of(app.send_task("elsewhere")).queue == "mine"
    assert app.conf.table() == {"task_default_queue": "mine"}


@pytest.mark.parametrize("kind", ["class", "instance", "dict", "wrapper"])
def test_every_kind_of_source_is_read_through_to(kind: str) -> None:
    class Options:
        CELERY_TIMEZONE = "UTC"

    source: Any = {
        "class": Options,
        "instance": Options(),
        "dict": {"CELERY_TIMEZONE": "UTC"},
        "wrapper": Wrapper(types.SimpleNamespace(CELERY_TIMEZONE="UTC")),
    }[kind]
    app = quiet("x")
    app.config_from_object(source, namespace="CELERY")
    assert app.conf.timezone == "UTC"

    match kind:
        case "dict":
            source["CELERY_TIMEZONE"] = "Europe/Paris"
        case "wrapper":  # as `override_settings` does it
            source.__dict__.clear()
            source._wrapped = types.SimpleNamespace(CELERY_TIMEZONE="Europe/Paris")
        case _:
            source.CELERY_TIMEZONE = "Europe/Paris"

    assert app.conf.timezone == "Europe/Paris"


def test_what_is_set_on_the_app_stays_when_its_source_changes(settings: types.ModuleType) -> None:
    app = quiet("x", config_source=settings, task_serializer="json")
    app.conf.task_default_queue = "own"

    settings.task_default_queue = "changed"  # type: ignore[attr-defined]
    settings.task_serializer = "pickle"  # type: ignore[attr-defined]
    settings.timezone = "UTC"  # type: ignore[attr-defined]

    assert app.conf.timezone == "UTC"
    assert (app.conf.task_default_queue, app.conf.task_serializer) == ("own", "json")


def test_a_value_that_cannot_be_compared_is_no_error(settings: types.ModuleType) -> None:
    class Array:
        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous")

        __hash__ = None  # type: ignore[assignment]

    settings.array = Array()  # type: ignore[attr-defined]
    app = quiet("x", config_source=settings)
    assert app.conf.task_default_queue == "mine"
    settings.array = Array()  # type: ignore[attr-defined]
    settings.task_default_queue = "other"  # type: ignore[attr-defined]

    assert app.conf.task_default_queue == "other"


def test_the_keywords_of_the_app_are_those_that_are_checked() -> None:
    parameters = inspect.signature(LiteQ).parameters.values()

    assert {each.name for each in parameters if each.kind is not each.VAR_KEYWORD} == {*KEYWORDS}


@pytest.mark.parametrize(
    ("keyword", "near"), [("brokr", "broker"), ("bakend", "backend"), ("includes", "include")]
)
def test_a_misspelt_keyword_of_the_app_is_refused_with_the_nearest(keyword: str, near: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"'{keyword}'.*did you mean '{near}'"):
        quiet("x", **{keyword: "memory://"})


# the store


def test_the_url_of_a_store_in_use_cannot_be_changed(settings: types.ModuleType) -> None:
    settings.broker_url = "memory://"  # type: ignore[attr-defined]
    app = quiet("x", config_source=settings)
    app.conf.broker_url = "memory://?before"
    assert app.broker.url == "memory://"

    app.conf.broker_url = "memory://?before"  # the same
    refused = pytest.raises(ImproperlyConfigured, match=r"cannot be changed .* uses memory://")
    with refused:
        app.conf.broker_url = "sqlite:///other.db"
    with refused:
        app.conf.update(secret_key="k" * 32)
    with refused:
        del app.conf["broker_url"]
    assert app.conf.broker_url == "memory://?before"
    with refused:
        app.config_from_object({"broker_url": "sqlite:///other.db"}, force=True)


def test_the_url_of_a_store_in_use_cannot_be_patched_in_its_source(
    settings: types.ModuleType,
) -> None:
    settings.broker_url = "memory://"  # type: ignore[attr-defined]
    app = quiet("x", config_source=settings)
    app.send_task("t")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "broker_url", "sqlite:///other.db")
        with pytest.raises(ImproperlyConfigured, match="'broker_url' cannot be changed"):
            app.send_task("t")
    app.send_task("t")


@pytest.mark.parametrize("name", ["result_backend", "backend"])
@pytest.mark.parametrize("url", ["redis://user:secret@host/1", "django-db", "cache+memory://"])
def test_a_result_backend_of_its_own_brings_a_warning_when_the_store_is_used(
    name: str, url: str
) -> None:
    app = quiet("x", broker="memory://", **{name: url})
    with pytest.warns(UserWarning, match="results are kept with the tasks, in 'memory://'") as told:
        assert app.broker.url == "memory://"
    assert "secret" not in str(told[0].message)


@pytest.mark.parametrize("backend", ["rpc://", "memory://?how=ever", None])
def test_a_result_backend_that_means_the_same_store_is_taken(backend: str | None) -> None:
    app = quiet("x")
    app.conf.update(broker_url="memory://", result_backend=backend)

    assert app.broker.url == "memory://"


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("redis://:secret@host/1?timeout=3", True),
        ("redis://:secret@host:6379/1", True),
        ("redis://host/1", True),
        ("redis://:secret@host/2", False),
        ("redis://:secret@host:6380/1", False),
        ("redis://:secret@host:port/1", False),
    ],
)
def test_a_result_backend_is_compared_by_the_place_that_it_names(url: str, same: bool) -> None:
    pytest.importorskip("redis")
    broker = connect("redis://:secret@host/1")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        quiet("x", broker=broker, result_backend=url)
    assert bool(told) is not same
    assert not any("secret" in str(each.message) for each in told)


def test_the_store_is_connected_when_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    app = quiet("x", broker=f"sqlite:///{path}")
    app.task(lambda: None)
    assert not path.exists()

    app.send_task("x")
    assert path.exists()
    app.close()


def test_a_closed_app_can_be_used_again(tmp_path: Path) -> None:
    with quiet("x", broker=f"sqlite:///{tmp_path / 'tasks.db'}") as app:
        first = app.send_task("a")
    second = app.send_task("b")

    assert first.exists()
    assert second.exists()
    app.close()


def test_time_is_that_of_the_store_in_the_zone_of_the_app(clock: ManualClock) -> None:
    app = quiet("x", broker=MemoryBroker(clock), timezone="UTC")

    assert app.timezone is UTC
    assert app.now().timestamp() == clock.now


# sending


def test_a_task_may_be_sent_by_name_with_the_options_it_has_here(app: LiteQ) -> None:
    app.task(name="here", ignore_result=True, queue="mail")(lambda x: x)

    here, there = app.send_task("here", (1,)), app.send_task("there", (1,), priority=3)

    assert (here.ignored, here.queue) == (True, "mail")
    assert (there.ignored, there.name, there.args) == (False, "there", (1,))


@pytest.mark.parametrize(("args", "kwargs"), [("ab", None), (5, None), (None, [1])])
def test_arguments_are_a_list_and_a_dict(app: LiteQ, args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError, match="must be a"):
        app.send_task("t", args, kwargs)


def test_many_calls_are_sent_at_once_and_their_results_are_in_order(app: LiteQ) -> None:
    double = app.task(name="double")(lambda n: 2 * n)

    results = app.enqueue_many(double.s(n) for n in range(10))
    drain(app)

    assert [result.get(timeout=0) for result in results] == [2 * n for n in range(10)]
    assert app.enqueue_many([]) == []


def test_many_calls_have_options_of_their_own_and_together(app: LiteQ) -> None:
    job = app.task(name="job")(lambda: None)

    results = app.enqueue_many([job.s().set(queue="a"), app.signature("other")], priority=3)

    assert [result.queue for result in results] == ["a", "celery"]
    assert {r.message.priority for r in app.broker.fetch([r.id for r in results]) if r} == {3}


@pytest.mark.parametrize("eager", [False, True])
def test_many_calls_that_are_no_signatures_are_refused(app: LiteQ, eager: bool) -> None:
    job = app.task(name="job")(lambda x: None)
    app.conf.task_always_eager = eager

    for wrong in ((1,), job, job.delay):
        with pytest.raises(TypeError, match=r"takes signatures.*task\.delay_many\(\)"):
            app.enqueue_many([job.s(1), wrong])  # type: ignore[list-item]
    assert app.broker.counts() == []


def test_of_many_calls_all_are_sent_or_none(app: LiteQ) -> None:
    job = app.task(name="job")(lambda x: None)
    app.conf.max_payload_size = 100

    with pytest.raises(PayloadTooLarge):
        app.enqueue_many([job.s(1), job.s("x" * 200)])
    with pytest.raises(TypeError, match="job"):
        app.enqueue_many([job.s(1), job.s()])
    assert app.broker.counts() == []


def test_the_repr_of_an_app_has_its_name(app: LiteQ) -> None:
    assert repr(app) == "<LiteQ project>"


def test_celery_is_another_name_of_the_application() -> None:
    assert Celery is LiteQ
