"""Tasks and applications with an `apply_async` or a `send_task` of their own."""

from contextvars import ContextVar
from typing import Any

import pytest

from liteq import LiteQ, Task, chain, chord, group
from liteq.beat.periodic import entry_of
from liteq.exceptions import InvalidTaskError
from liteq.result import AsyncResult
from liteq.states import Phase
from liteq.testing import drain

from .conftest import make_task

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


class TenantTask(Task[..., Any]):
    """A task whose messages say for which tenant they were sent."""

    def apply_async(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> AsyncResult[Any]:
        headers = {**(options.get("headers") or {})}
        headers["tenants"] = [*headers.get("tenants", []), tenant.get()]
        return super().apply_async(args, kwargs, **{**options, "headers": headers})


@pytest.fixture
def tenants(app: LiteQ) -> list[tuple[str, list[str]]]:
    """Return what tasks saw: their names, and the tenants in their headers."""
    return []


@pytest.fixture
def work(app: LiteQ, tenants: list[Any]) -> Any:
    def work(self: Any, *args: Any, fail: bool = False) -> Any:
        tenants.append((self.name, (self.request.headers or {}).get("tenants")))
        if fail:
            raise ValueError("it is to fail")
        return len(args)

    return make_task(app, work, name="work", base=TenantTask, bind=True)


@pytest.fixture(autouse=True)
def acme() -> Any:
    token = tenant.set("acme")
    yield
    tenant.reset(token)


def test_an_apply_async_of_the_user_is_called_once_for_each_task_of_a_workflow(
    app: LiteQ, work: Any, tenants: list[Any]
) -> None:
    ways = {
        1: [work.delay, work.s().delay, lambda: app.send_task("work")],
        2: [
            lambda: work.apply_async(link=work.s()),
            lambda: work.apply_async(kwargs={"fail": True}, link_error=work.si()),
            lambda: group(work.s(), work.s()).apply_async(),
            lambda: app.enqueue_many([work.s(), work.s()]),
            lambda: work.delay_many([(), ()]),
        ],
        3: [
            lambda: chain(work.s(1), work.s(2), work.s(3)).apply_async(),
            lambda: chord([work.s(1), work.s(2)], work.s()).apply_async(),
            lambda: chain(work.s(1), work.s(2).set(link=work.s())).apply_async(),
        ],
    }
    for tasks, sends in ways.items():
        for send in sends:
            tenants.clear()
            send()
            drain(app)
            right = None if tasks == 1 and send is sends[-1] else ["acme"]

            assert tenants == [("work", right)] * tasks


def test_what_an_override_changes_is_sent(app: LiteQ) -> None:
    class Moved(Task[..., Any]):
        def apply_async(  # type: ignore[override]
            self, args: Any = None, kwargs: Any = None, **options: Any
        ) -> Any:
            return super().apply_async(
                [*args, "more"], {"key": 1}, queue="slow", task_id=options["task_id"]
            )

    task = make_task(app, lambda *args, **kwargs: [args, kwargs], name="task", base=Moved)
    result = chain(task.si(1), task.si(2)).apply_async()
    records = app.broker.listing(list(Phase), 10)

    assert [each.message.queue for each in records] == ["slow", "slow"]
    drain(app, queues=["slow"])
    assert result.get(timeout=0) == [(2, "more"), {"key": 1}]


def test_a_workflow_with_a_task_that_its_override_does_not_send_is_refused(
    app: LiteQ, work: Any
) -> None:
    class Locked(Task[..., Any]):
        def apply_async(  # type: ignore[override]
            self, args: Any = None, kwargs: Any = None, **options: Any
        ) -> Any:
            return AsyncResult("that of another call")

    locked = make_task(app, lambda *_: None, name="locked", base=Locked)

    with pytest.raises(InvalidTaskError, match="locked cannot be sent in a workflow: its own app"):
        chain(work.s(), locked.s()).apply_async()
    assert app.broker.counts() == []  # the others were not sent either


def test_an_override_may_not_change_the_id_of_a_task_in_a_workflow(app: LiteQ) -> None:
    class Named(Task[..., Any]):
        def apply_async(  # type: ignore[override]
            self, args: Any = None, kwargs: Any = None, **options: Any
        ) -> Any:
            return super().apply_async(args, kwargs, **{**options, "task_id": "mine"})

    named = make_task(app, lambda *_: None, name="named", base=Named)

    assert named.delay().id == "mine"
    with pytest.raises(InvalidTaskError, match="changes the task_id"):
        group(named.s(), named.s()).apply_async()


def test_what_an_override_sends_besides_is_sent(app: LiteQ, calls: list[Any]) -> None:
    audit = make_task(app, calls.append, name="audit")

    class Audited(Task[..., Any]):
        def apply_async(  # type: ignore[override]
            self, args: Any = None, kwargs: Any = None, **options: Any
        ) -> Any:
            audit.delay(self.name)
            return super().apply_async(args, kwargs, **options)

    audited = make_task(app, lambda *_: None, name="audited", base=Audited)
    chain(audited.s(), audited.s()).apply_async()
    drain(app)

    assert calls == ["audited", "audited"]


class Tracing(LiteQ):
    """An application that puts a trace into all that it sends."""

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        headers = {**(options.pop("headers", None) or {})}
        headers["traces"] = [*headers.get("traces", []), name]
        return super().send_task(name, args, kwargs, headers=headers, **options)


def test_a_send_task_of_the_user_is_called_once_however_a_task_is_sent() -> None:
    with Tracing("tracing", broker="memory://", set_as_current=False) as app:
        traces = []

        @app.task(bind=True, name="seen")
        def seen(self: Any, *_: Any) -> None:
            traces.append(self.request.headers["traces"])

        for tasks, send in (
            (1, seen.delay),
            (1, lambda: app.send_task("seen")),
            (2, lambda: seen.apply_async(link=seen.s())),
            (2, lambda: chain(seen.s(), seen.s()).apply_async()),
            (3, lambda: chord([seen.s(), seen.s()], seen.s()).apply_async()),
            (2, lambda: app.enqueue_many([seen.s(), seen.s()])),
        ):
            traces.clear()
            send()
            drain(app)

            assert traces == [["seen"]] * tasks


def test_arguments_are_checked_also_with_a_send_task_of_the_user() -> None:
    with Tracing("tracing", broker="memory://", set_as_current=False) as app:
        two = app.task(name="two")(lambda a, b: None)

        with pytest.raises(TypeError, match="b"):
            two.delay(1)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="missing"):
            chain(two.s(1, 2), two.s()).apply_async()


def test_a_periodic_task_is_sent_by_its_apply_async_each_time(
    app: LiteQ, work: Any, tenants: list[Any]
) -> None:
    fields = {"task": "work", "schedule": 60, "args": (1,), "options": {"queue": "celery"}}
    entry = entry_of(app, "each minute", fields)
    for n in range(2):
        app.broker.enqueue([entry.message._replace(id=f"{n}")])
        drain(app)

    assert tenants == [("work", ["acme"])] * 2


def test_what_replaces_a_task_is_sent_with_the_context_variables_of_the_task(
    app: LiteQ, work: Any, tenants: list[Any]
) -> None:
    def fan(self: Any) -> None:
        token = tenant.set("inner")
        try:
            self.replace(chain(work.s(1), work.si(2)))
        finally:
            tenant.reset(token)

    result = make_task(app, fan, name="fan", bind=True).delay()
    drain(app)

    assert result.get(timeout=0) == 1
    assert tenants == [("work", ["inner"])] * 2
    assert tenant.get() == "acme"
