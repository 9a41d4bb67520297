"""The API as type checkers see it. Never run: mypy reads it.

A call that must be refused carries an ignore; mypy's `warn_unused_ignores` fails when it is not.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from sqlite3 import Connection
from typing import Any, ParamSpec, TypeVar, Unpack, assert_type

from liteq import (
    AsyncResult,
    Celery,
    Context,
    GroupResult,
    LiteQ,
    ResultSet,
    Signature,
    Task,
    Unique,
    chain,
    chord,
    chunks,
    current_app,
    current_task,
    group,
    maybe_signature,
    shared_task,
    signature,
)
from liteq.beat.timetable import Timetable
from liteq.config import Config
from liteq.contrib.abortable import AbortableAsyncResult, AbortableTask
from liteq.model.message import Attempt
from liteq.result import EagerResult, ResultBase
from liteq.result.app import App
from liteq.sending.call_options import CallOptions
from liteq.worker.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")

app = LiteQ("typed")
as_lower_code_sees_it: App = app


@app.task
def add(x: int, y: int = 0) -> int:
    return x + y


@app.task(queue="mail", max_retries=5)
def greet(name: str, *, loud: bool = False) -> str:
    return name


@app.task(bind=True)
def look(self: Task[..., Any], path: str) -> bytes:
    assert_type(self.request, Context)
    assert_type(self.request.id, str | None)
    assert_type(self.request.retries, int)
    assert_type(self.request.delivery_info, dict[str, Any] | None)
    assert_type(self.app.conf, Config)
    self.app.send_task("other").get()
    self.app.control.revoke("id")
    self.update_state(state="PROGRESS", meta={"done": 1})
    assert_type(self.step("count", len, "abc"), int)
    self.step("count", len, 5)  # type: ignore[arg-type]
    self.sleep("cool down", days=3)
    self.sleep("cool down", timedelta(hours=1))
    self.sleep("cool down", "soon")  # type: ignore[arg-type]
    assert_type(self.wait_for("approved:17", timeout=5), Any)
    assert_type(self.gather(add.s(1), add.s(2)), list[Any])
    assert_type(self.app.emit("approved:17", {"by": "ann"}), bool)
    raise self.retry(countdown=3)


@shared_task
def double(n: float) -> float:
    return 2 * n


@shared_task(bind=True, name="halve")
def halve(self: Task[..., Any], n: float) -> float:
    return n / 2


@app.task
async def fetch(url: str) -> bytes:
    return url.encode()


@app.task(queue="web")
async def fetch_later(url: str) -> bytes:
    return url.encode()


@app.task(bind=True)
async def fetch_bound(self: Task[..., Any], url: str) -> bytes:
    assert_type(await self.step("get", awaitable, 1), str)
    return url.encode()


@shared_task
async def shared_fetch(url: str) -> bytes:
    return url.encode()


async def awaitable(n: int) -> str:
    return str(n)


class Loop(AbortableTask[[int], int]):
    def run(self, turns: int) -> int:
        return turns


class Shout(Task[[str], str]):
    def run(self, text: str) -> str:
        return text.upper()


# results

assert_type(add.delay(1), AsyncResult[int])
assert_type(add.delay(1, y=2).get(timeout=5), int)
assert_type(greet.delay("x", loud=True).get(), str)
assert_type(look.delay("/").get(), bytes)
assert_type(double.delay(1.5).get(), float)
assert_type(halve.delay(1.5).get(), float)
assert_type(add.apply_async((1,), {"y": 2}, countdown=3), AsyncResult[int])
assert_type(add.apply((1, 2)), EagerResult[int])
assert_type(add.AsyncResult("id").get(), int)
assert_type(app.AsyncResult("id").get(), Any)
assert_type(add.delay_many([(1,), (2, 3)]), list[AsyncResult[int]])
assert_type(app.enqueue_many([add.s(1), add.s(2)]), list[AsyncResult[Any]])
assert_type(app.register_task(Shout), Task[[str], str])
assert_type(app.register_task(Shout()).delay("x"), AsyncResult[str])

# in coroutines; the result of an `async def` task is what its coroutine returns


async def in_a_coroutine() -> None:
    assert_type(await add.adelay(1), AsyncResult[int])
    assert_type(await add.adelay(1, y=2).aget(timeout=5), int)
    assert_type(await add.aapply_async((1,), countdown=3), AsyncResult[int])
    assert_type(await add.delay(1), int)
    assert_type(await add.delay(1).aget(timeout=5), int)
    assert_type(await add.adelay_many([(1,), (2, 3)]), list[AsyncResult[int]])
    assert_type(await app.aenqueue_many([add.s(1)], queue="mail"), list[AsyncResult[Any]])
    assert_type(await app.asend_task("other", (1,)), AsyncResult[Any])
    assert_type(await group(add.s(n) for n in range(3)).adelay(), GroupResult)
    assert_type(await chain(add.s(1), add.s(2)).adelay(), AsyncResult[Any])
    assert_type(await group([add.s(1)]).delay(), list[Any])
    async for each in group([add.s(1)]).delay().as_completed(timeout=5):
        each.get()
    async with app.Worker(concurrency=2) as worker:
        assert_type(worker, Worker)
    assert_type(fetch.delay("/").get(), bytes)
    assert_type(await fetch("/"), bytes)
    assert_type(await fetch.adelay("/").aget(), bytes)
    assert_type(await fetch_later.adelay("/").aget(), bytes)
    assert_type(await fetch_bound.adelay("/"), AsyncResult[bytes])
    assert_type(await shared_fetch("/"), bytes)
    await add.adelay("one")  # type: ignore[arg-type]
    await fetch.adelay(5)  # type: ignore[arg-type]
    await add.aapply_async((1,), countdwn=3)  # type: ignore[call-arg]


# what an app is used for beside

assert_type(app.Worker(concurrency=2, queues=["mail"]), Worker)
assert_type(app.schedules, Timetable)
assert_type(app.current_task, Task[..., Any] | None)

# what a result knows

result_of_add = add.delay(1)
assert_type(result_of_add.state, str)
assert_type(result_of_add.id, str)
assert_type(result_of_add.ready(), bool)
assert_type(result_of_add.traceback, str | None)
assert_type(result_of_add.date_done, datetime | None)
assert_type(result_of_add.children, Sequence[ResultBase])
assert_type(result_of_add.attempts(), list[Attempt])
assert_type(result_of_add.then(print), AsyncResult[int])
result_of_add.parent.parent.get()  # of which kind they are, only the program knows

# the current ones

assert_type(current_app, LiteQ)
assert_type(current_app.conf, Config)
assert_type(current_task, Task[..., Any])
assert_type(current_task.request, Context)

# direct calls

assert_type(add(1, 2), int)
assert_type(look("/"), bytes)

# signatures are partial by design, so their arguments are not checked

assert_type(add.s(1), Signature)
assert_type(add.si(1, 2), Signature)
assert_type(add.signature((1,), countdown=3), Signature)
assert_type(add.map([1, 2]), Signature)
assert_type(signature("add", (1, 2)), Signature)
assert_type(maybe_signature({}), Any)
assert_type(add.s("one").delay(), AsyncResult[Any])
assert_type(add.s(1).apply_async(countdown=3), AsyncResult[Any])
assert_type(add.s(1).freeze(), AsyncResult[Any])
assert_type(add.s(1).set(queue="mail").clone((2,)), Signature)
assert_type(add.s(1).options, dict[str, Any])
assert_type(add.s(1).args, tuple[Any, ...])
assert_type(add.s(1).id, str | None)
assert_type(add.s(1).task, str)
assert_type(add.s(1).type, Any)

# canvases: a group has a group's result, what comes last decides of a chain and a chord

assert_type(add.s(1) | add.s(2), Signature)
assert_type((add.s(1) | add.s(2)).delay().get(), Any)
assert_type(chain(add.s(1), add.s(2)), chain)
assert_type(chain(add.s(1), add.s(2)).delay(), AsyncResult[Any])
assert_type(chain(add.s(1), add.s(2)).apply(), AsyncResult[Any])
assert_type(chain(add.s(1), add.s(2)).tasks, list[Signature])
assert_type(group(add.s(1), add.s(2)), group)
assert_type(group(add.s(n) for n in range(3)).delay(), GroupResult)
assert_type(group([add.s(1)])(), GroupResult)
assert_type(group([add.s(1)]).apply_async(countdown=3), GroupResult)
assert_type(group([add.s(1)]).apply_async().get(timeout=5), list[Any])
assert_type(group([add.s(1)]).freeze(), GroupResult)
assert_type(group([add.s(1)]) | add.s(1), Signature)
assert_type(add.chunks([(1, 2)], 10)(), GroupResult)
assert_type(add.chunks([(1, 2)], 10).group(), group)
assert_type(chord([add.s(1), add.s(2)])(double.s()), AsyncResult[Any])
assert_type(chord([add.s(1)], double.s()).delay(), AsyncResult[Any])
assert_type(chord([add.s(1)], double.s()).header, group)

# sets of results

assert_type(ResultSet([add.delay(1)]).get(), list[Any])
assert_type(ResultSet([add.delay(1)]).completed_count(), int)
assert_type(GroupResult.restore("id"), GroupResult | None)

# Celery's names

celery_app: LiteQ = Celery("x", broker="memory://")
stop: AbortableAsyncResult[int] = Loop().delay(1)

# options of a call: those of Celery that mean nothing here are taken too

add.apply_async((1,), queue="mail", priority=3, expires=60, headers={"a": 1}, durable=True)
add.apply_async((1,), task_id="id", eta=datetime.now(UTC), link=add.s(1), link_error=[add.s(1)])
add.apply_async((1,), unique=Unique("{x}", until=60, then="replace"), throttle=5)
add.apply_async((1,), unique=False, debounce=timedelta(seconds=5), debounce_max=60)
add.apply_async((1,), exchange="", routing_key="mail", compression="gzip", retry_policy={})
add.apply((1,), throw=True, retries=2)
add.signature((1,), immutable=True, time_limit=5)
add.s(1).set(task_id="id", stamped_headers=["a"], immutable=True)
add.s(1).clone(queue="mail").apply(throw=True)
app.send_task("other", (1,), queue="mail", task_id="id")
app.enqueue_many([add.s(1)], countdown=5, durable=True)
app.add_periodic_task(60, add.s(1), name="x", misfire="all", queue="mail")
app.add_periodic_task(60, add, (1, 2), {"y": 2}, "x", expires=5)
group([add.s(1)], on_error="continue").apply_async(queue="mail")
chain(add.s(1), queue="mail")
chord([add.s(1)], add.s(1), on_error="continue")(countdown=2)
chunks(add, [(1, 2)], 10, queue="mail")(queue="mail")
add.retry((1,), countdown=1, eta=None, queue="mail", headers={"a": 1})
as_a_dict: dict[str, Any] = {"queue": "mail"}
add.apply_async((1,), **as_a_dict)


class Logged(Task[P, R]):
    """A class of a user, with an `apply_async` that knows no options of its own."""

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        **options: Any,
    ) -> AsyncResult[R]:
        return super().apply_async(args, kwargs, task_id, **options)


class Typed(Task[P, R]):
    """A class of a user, with liteq's types."""

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncResult[R]:
        return super().apply_async(args, kwargs, task_id, **options)


# what must be refused

add.apply_async((1,), countdwn=3)  # type: ignore[call-arg]
add.apply_async((1,), countdown=[3])  # type: ignore[arg-type]
add.apply_async((1,), priority="high")  # type: ignore[arg-type]
add.apply((1,), que="mail")  # type: ignore[call-arg]
add.retry(countdwn=3)  # type: ignore[call-arg]


def open_database() -> Connection:
    return Connection("app.db")


database = open_database()
with app.transaction(database) as block:
    block.execute("select 1")
    add.apply_async((1,), connection=database)
    with look.commit(database) as ending:
        ending.result = 1
    with look.once(database) as once:
        once.result = 1
connect = app.outbox(open_database)
assert_type(connect(), Connection)

add.signature((1,), countdwn=3)  # type: ignore[call-arg]
add.s(1).set(countdwn=3)  # type: ignore[call-arg]
add.s(1).clone(countdwn=3)  # type: ignore[call-arg]
add.s(1).apply_async(countdwn=3)  # type: ignore[call-arg]
app.send_task("other", countdwn=3)  # type: ignore[call-arg]
app.enqueue_many([add.s(1)], countdwn=3)  # type: ignore[call-arg]
app.add_periodic_task(60, add, countdwn=3)  # type: ignore[call-arg]
group([add.s(1)], countdwn=3)  # type: ignore[call-arg]
group([add.s(1)]).apply_async(countdwn=3)  # type: ignore[call-arg]
chain(add.s(1), countdwn=3)  # type: ignore[call-arg]
chord([add.s(1)], add.s(1), countdwn=3)  # type: ignore[call-arg]
as_lower_code_sees_it.send_task("other", countdwn=3)  # type: ignore[call-arg]
Loop().apply_async((1,), countdwn=3)  # type: ignore[call-arg]

add.delay("one")  # type: ignore[arg-type]
add.delay()  # type: ignore[call-arg]
add.delay(1, 2, 3)  # type: ignore[call-arg]
add.delay(1, z=2)  # type: ignore[call-arg]
add("one")  # type: ignore[arg-type]
greet.delay("x", True)  # type: ignore[call-arg]
look.delay(5)  # type: ignore[arg-type]
double.delay("x")  # type: ignore[arg-type]
halve.delay()  # type: ignore[call-arg]
app.register_task(Shout).delay(5)  # type: ignore[arg-type]
app.Worker(concurrency="2")  # type: ignore[arg-type]
app.Worker(slots=2)  # type: ignore[call-arg]
add.apply_async("12")  # a text is a sequence: refused when it runs
add.apply_async(5)  # type: ignore[arg-type]
add.apply_async((1,), [2])  # type: ignore[arg-type]
result: AsyncResult[str] = add.delay(1)  # type: ignore[assignment]
