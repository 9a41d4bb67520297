"""The tasks of an application: how they are made, named, registered and checked."""

import sys
import types
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ, Task
from liteq.app.options import OPTIONS
from liteq.exceptions import ImproperlyConfigured, InvalidTaskError, NotRegistered
from liteq.testing import drain
from tests.unit.conftest import make_task

PLACE = r"test_app_tasks\.py:\d+"


def test_a_task_is_named_after_its_module_and_function(app: LiteQ) -> None:
    @app.task
    def one() -> None:
        """The first."""

    @app.task()
    def two() -> None: ...

    assert (one.name, two.name) == (f"{__name__}.one", f"{__name__}.two")
    assert app.tasks[one.name] is one
    assert (one.__doc__, one.__name__, one.__module__) == ("The first.", "one", __name__)


@pytest.mark.parametrize("module", ["__main__", "__mp_main__"])
def test_a_task_of_the_script_is_named_after_the_app(app: LiteQ, module: str) -> None:
    def job() -> None: ...

    job.__module__ = module

    assert app.task(job).name == "project.job"
    assert LiteQ(set_as_current=False).task(job).name == "__main__.job"


def test_naming_can_be_overridden() -> None:
    class Mine(LiteQ):
        def gen_task_name(self, name: str, module: str) -> str:
            return name.upper()

    def job() -> None: ...

    assert Mine(set_as_current=False).task(job).name == "JOB"


def test_a_second_function_of_a_name_warns_where_both_are_and_the_first_one_runs(
    app: LiteQ,
) -> None:
    first = app.task(name="job")(lambda: 1)
    with pytest.warns(UserWarning, match=rf"task 'job'.*{PLACE}.*{PLACE}") as heard:
        second = app.task(name="job")(lambda: 2)

    assert second is first
    assert heard[0].filename == __file__


def test_functions_of_one_decorator_are_told_apart_by_what_they_are_around(app: LiteQ) -> None:
    def logged(function: Any) -> Any:
        def inner() -> Any:
            return function()

        return inner

    def scaler(factor: int) -> Any:
        def scale(x: int) -> int:
            return x * factor

        return scale

    app.task(logged(make_task))
    with pytest.warns(UserWarning, match=r"inner.*around make_task.*inner.*around drain"):
        app.task(logged(drain))
    app.task(scaler(4))
    with pytest.warns(UserWarning, match="scale"):
        app.task(scaler(5))


def test_a_module_that_is_imported_twice_registers_its_tasks_without_a_warning(
    app: LiteQ, tmp_path: Path
) -> None:
    path = tmp_path / "twice.py"
    path.write_text(
        "class Cache: ...\n"
        "cache = Cache()\n"
        "def cached(function):\n"
        "    kept = Cache()\n"
        "    def inner():\n"
        "        return function(), kept\n"
        "    return inner\n"
        "def one(): ...\n"
        "two = cached(one)\n"
    )
    code = compile(path.read_text(), str(path), "exec")

    for name in ("twice", "package.twice"):
        names: dict[str, Any] = {"__name__": name}
        exec(code, names)
        for function in ("one", "two"):
            app.task(name=function)(names[function])

    assert {"one", "two"} <= set(app.tasks)


def test_at_a_prompt_a_function_that_is_defined_again_replaces_the_task(
    app: LiteQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    names: dict[str, Any] = {"__name__": "__main__", "app": app}
    for value in (1, 2):
        exec(f"@app.task\ndef job():\n    return {value}", names)

    result = names["job"].delay()
    drain(app)

    assert result.get(timeout=0) == 2


def test_a_class_that_takes_the_name_of_another_task_warns(app: LiteQ) -> None:
    class Job(Task[..., int]):
        name = "job"

        def run(self) -> int:
            return 2

    app.task(name="job")(lambda: 1)
    with pytest.warns(UserWarning, match=r"registered as 'job'.*Job.run .* replaces .*lambda"):
        app.register_task(Job)

    assert app.tasks["job"]() == 2


def test_a_name_must_be_printable(app: LiteQ) -> None:
    with pytest.raises(InvalidTaskError, match="task name"):
        app.task(name="a\nb")(lambda: None)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_an_attribute_of_tasks(option: str) -> None:
    assert hasattr(Task, option)


def test_options_become_attributes(app: LiteQ) -> None:
    task = app.task(name="job", queue="mail", max_retries=5, on_failure=lambda *_: None)(len)

    assert (task.queue, task.max_retries, set(task.hooks)) == ("mail", 5, {"on_failure"})


def test_an_unknown_option_is_an_attribute_of_the_task(app: LiteQ) -> None:
    @app.task(bind=True, table="users")
    def job(self: Any) -> str:
        return str(self.table)

    assert job() == "users"


def test_an_option_that_looks_misspelt_warns_with_the_nearest_name(app: LiteQ) -> None:
    with pytest.warns(UserWarning, match="'max_retry'.*; did you mean 'max_retries'") as heard:
        task: Any = app.task(name="job", max_retry=5)(lambda: None)

    assert task.max_retry == 5
    assert [each.filename for each in heard] == [__file__]
    with pytest.warns(UserWarning, match="'on_sucess'.*; did you mean 'on_success'"):
        app.task(name="hooked", on_sucess=lambda *_: None)(lambda: None)


def test_an_attribute_of_a_class_that_looks_misspelt_warns_too(app: LiteQ) -> None:
    class Base(Task[..., Any]):
        soft_timelimit = 5
        database = "mine"

        def expire(self) -> None: ...  # a method is no misspelt `expires`

        @property
        def schedules(self) -> None: ...

    with pytest.warns(
        UserWarning, match="'soft_timelimit'.*; did you mean 'soft_time_limit'"
    ) as heard:
        app.task(name="job", base=Base)(lambda: None)

    assert len(heard) == 1


def test_an_option_cannot_replace_a_method_of_tasks(app: LiteQ) -> None:
    with pytest.raises(ImproperlyConfigured, match="'run' cannot be an option"):
        app.task(name="job", run=5)(lambda: None)

    assert "job" not in app.tasks


EXCEPTIONS = ["autoretry_for", "dont_autoretry_for", "throws"]


@pytest.mark.parametrize("option", EXCEPTIONS)
def test_one_class_of_exceptions_is_as_good_as_a_tuple_of_it(app: LiteQ, option: str) -> None:
    def make(name: str, **options: Any) -> Any:
        return make_task(app, lambda: None, name=name, **options)

    one = make("one", **{option: KeyError})
    nested = make("nested", **{option: [OSError, (KeyError, IndexError)]})
    kind = type("Job", (Task,), {option: KeyError})
    app.conf.task_annotations = {"annotated": {option: KeyError}}
    app.finalize()
    annotated = make("annotated")

    assert getattr(one, option) == (KeyError,)
    assert getattr(nested, option) == (OSError, KeyError, IndexError)
    assert getattr(app.register_task(kind), option) == (KeyError,)
    assert getattr(annotated, option) == (KeyError,)


@pytest.mark.parametrize("option", EXCEPTIONS)
@pytest.mark.parametrize("value", ["KeyError", KeyError(), (KeyError, "x"), int, None])
def test_what_is_no_class_of_exceptions_is_refused_where_it_is_written(
    app: LiteQ, option: str, value: Any
) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"task job: {option} is .* class of exceptions"):
        make_task(app, lambda: None, name="job", **{option: value})

    assert "job" not in app.tasks


def test_an_option_that_the_base_class_has_is_taken(app: LiteQ) -> None:
    class WithDatabase(app.Task):  # type: ignore[name-defined,misc]
        database = "none"

    @app.task(base=WithDatabase, database="mine", bind=True)
    def job(self: Any) -> str:
        return str(self.database)

    assert job() == "mine"


def test_an_option_of_celery_that_does_nothing_here_warns_why(app: LiteQ) -> None:
    with pytest.warns(UserWarning, match="'send_events' does nothing in liteq: there are no event"):
        app.task(name="job", send_events=True)(lambda: None)


def test_asynchronous_generators_are_refused(app: LiteQ) -> None:
    async def job() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(ImproperlyConfigured, match="collect what it yields in a list"):
        app.task(job)


def test_an_unknown_task_is_an_error_that_names_the_nearest_or_the_known(app: LiteQ) -> None:
    with pytest.raises(NotRegistered, match=r"was its module imported\?"):
        app.tasks["project.add"]
    app.task(name="project.add")(lambda: None)
    with pytest.raises(NotRegistered, match=r"did you mean 'project.add'"):
        app.tasks["project.ad"]
    for n in range(20):
        app.task(name=f"t{n:02}")(lambda: None)
    with pytest.raises(NotRegistered, match=r"known are project.add, t00, .* and 11 more$"):
        app.tasks["qwertz"]


def test_classes_and_instances_can_be_registered(app: LiteQ) -> None:
    class Add(Task[..., int]):
        def run(self, x: int, y: int) -> int:
            return x + y

    class Named(Add):
        name = "named"

    by_class, by_instance = app.register_task(Add), app.register_task(Named())

    assert by_class.name == f"{__name__}.Add"
    assert by_class(1, 2) == 3
    assert app.tasks["named"] is by_instance
    result = by_instance.delay(2, 3)
    drain(app)
    assert result.get(timeout=0) == 5


def test_a_base_class_for_all_tasks() -> None:
    class Base(Task[..., Any]):
        max_retries = 7

    app = LiteQ("x", set_as_current=False, task_cls=Base)

    assert app.task(lambda: None).max_retries == 7
    assert app.Task.app is app
    named = LiteQ("x", set_as_current=False, task_cls="liteq.task:Task")
    assert issubclass(named.Task, Task)


def test_annotations_change_options_of_tasks_by_name(app: LiteQ) -> None:
    app.conf.task_annotations = [{"*": {"max_retries": 1}}, {"a": {"queue": "mail"}}]
    a = app.task(name="a")(lambda: None)
    app.finalize()
    b = app.task(name="b")(lambda: None)

    assert (a.max_retries, a.queue) == (1, "mail")
    assert (b.max_retries, b.queue) == (1, None)


def test_on_after_finalize_is_sent_once(app: LiteQ) -> None:
    sent = []

    @app.on_after_finalize.connect
    def after(sender: LiteQ, **_: Any) -> None:
        sent.append(sender)

    app.tasks  # noqa: B018
    app.finalize()

    assert sent == [app]
