"""Tasks that are `async def` functions, in each pool, in `apply` and as plain functions."""

import asyncio
import functools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ, Task, chain, chord, current_task, group, signals
from liteq.exceptions import Ignore, SoftTimeLimitExceeded
from liteq.support import coroutines
from liteq.testing import drain

POOLS = ["processes", "threads", "asyncio", "solo"]
SOON = 20.0

Run = Callable[..., Any]


_kept: list[Any] = []


def make_tasks(app: LiteQ) -> None:  # noqa: C901 - they are many, not complex
    """The tasks of a program, as a child process makes them too."""

    @app.task(name="double")
    async def double(x: int) -> int:
        await asyncio.sleep(0)
        return 2 * x

    @app.task(name="fails")
    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    @app.task(name="exits")
    async def exits() -> None:
        await asyncio.sleep(0)
        raise SystemExit(3)

    @app.task(name="who", bind=True)
    async def who(self: Any) -> list[Any]:
        async def inner() -> Any:
            await asyncio.sleep(0)
            return self.request.id

        started = asyncio.create_task(inner())
        in_thread = await asyncio.to_thread(lambda: self.request.id)
        return [self.request.id, current_task.name, await started, in_thread]

    @app.task(name="again", bind=True)
    async def again(self: Any) -> int:
        await asyncio.sleep(0)
        if self.request.retries < 2:
            raise self.retry(countdown=0)
        return int(self.request.retries)

    @app.task(name="flaky", bind=True, autoretry_for=(KeyError,), retry_kwargs={"countdown": 0})
    async def flaky(self: Any) -> int:
        await asyncio.sleep(0)
        if self.request.retries < 1:
            raise KeyError("x")
        return int(self.request.retries)

    @app.task(name="long", soft_time_limit=0.1)
    async def long() -> str:
        try:
            await asyncio.sleep(SOON)
        except SoftTimeLimitExceeded:
            return "interrupted"
        return "not interrupted"

    @app.task(name="too_long", soft_time_limit=0.1)
    async def too_long() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.sleep(SOON))

    @app.task(name="reports", bind=True)
    async def reports(self: Any) -> None:
        await asyncio.sleep(0)
        self.update_state(state="HALFWAY", meta={"done": 1})
        raise Ignore

    @app.task(name="replaced", bind=True)
    async def replaced(self: Any) -> None:
        await asyncio.sleep(0)
        raise self.replace(double.s(21))

    @app.task(name="steps", bind=True)
    async def steps(self: Any) -> list[Any]:
        async def charge(n: int) -> int:
            await asyncio.sleep(0)
            return n + 1

        first = await self.step("first", charge, 1)
        second = self.step("second", len, "abc")
        third = await self.step("third", functools.partial(charge, 4))
        self.sleep("a while", seconds=0.01)
        return [first, second, third, *self.gather(double.s(1), double.s(2))]

    @app.task(name="leaves_open")
    async def leaves_open(path: str) -> None:
        async def lines() -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                await asyncio.to_thread(Path(path).touch)

        _kept.append(lines())
        await anext(_kept[-1])

    @app.task(name="loop")
    async def loop() -> int:
        return id(asyncio.get_running_loop())

    @app.task(name="sync")
    def sync(x: int) -> int:
        return x + 1

    @app.task(name="total")
    async def total(values: list[int]) -> int:
        return sum(values)


@pytest.fixture(params=POOLS)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Return the value of a task, run in a pool."""
    (tmp_path / "asyncproject.py").write_text(
        "from liteq import LiteQ\n"
        "from tests.contract.test_coroutine_tasks import make_tasks\n"
        f"app = LiteQ('p', broker='sqlite:///{tmp_path / 'store.db'}?durability=fast')\n"
        "make_tasks(app)\n"
    )
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "asyncproject", raising=False)
    import asyncproject  # type: ignore[import-not-found]

    app: LiteQ = asyncproject.app

    def run(name: str, *args: Any) -> Any:
        result = app.tasks[name].delay(*args)
        return result.get(timeout=SOON), result

    run.app = app  # type: ignore[attr-defined]
    with app.Worker(pool=request.param, concurrency=1) as worker:
        run.worker = worker  # type: ignore[attr-defined]
        yield run
    app.close()
    monkeypatch.undo()


def test_coroutines_run_in_each_pool(run: Any) -> None:
    """One worker for all of these, as to start one takes longer than they do."""
    app = run.app
    for name, args, value in [
        ("double", (4,), 8),
        ("again", (), 2),
        ("flaky", (), 1),
        ("long", (), "interrupted"),
        ("replaced", (), 42),
        ("steps", (), [2, 3, 5, 2, 4]),
    ]:
        assert run(name, *args)[0] == value, name
    value, result = run("who")
    assert value == [result.id, "who", result.id, result.id]
    for name, error in [
        ("fails", ValueError),
        ("too_long", SoftTimeLimitExceeded),
        ("exits", Exception),
    ]:
        with pytest.raises(error):
            run(name)
    assert run("loop")[0] == run("loop")[0]
    reported = app.tasks["reports"].delay()
    reported.get(timeout=SOON)
    assert (reported.state, reported.info) == ("HALFWAY", {"done": 1})
    double, sync, total = (app.tasks[each] for each in ("double", "sync", "total"))
    assert chain(double.s(1), sync.s(), double.s()).delay().get(timeout=SOON) == 6
    assert chord([double.s(n) for n in range(4)], total.s()).delay().get(timeout=SOON) == 12
    assert group(double.s(n) for n in range(3)).delay().get(timeout=SOON) == [0, 2, 4]
    assert double.map([1, 2, 3]).delay().get(timeout=SOON) == [2, 4, 6]


def test_what_is_open_in_the_loop_of_a_slot_is_closed_with_it(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "closed"
    run("leaves_open", str(path))
    run.worker.reload()  # replaces child processes; those of a worker that stops are killed
    if not run.worker.has_children:
        run.worker.stop()
    deadline = time.monotonic() + SOON
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def app() -> Iterator[LiteQ]:
    with LiteQ("project", broker="memory://") as app:
        make_tasks(app)
        yield app


def test_apply_runs_a_coroutine_at_once(app: LiteQ) -> None:
    tasks = app.tasks
    assert tasks["double"].apply((2,)).get() == 4
    assert tasks["again"].apply().get() == 2
    assert tasks["flaky"].apply().get() == 1
    assert tasks["replaced"].apply().get() == 42
    assert tasks["steps"].apply().get() == [2, 3, 5, 2, 4]
    assert isinstance(tasks["fails"].apply().result, ValueError)
    app.conf.task_always_eager = True
    assert chain(tasks["double"].s(1), tasks["double"].s()).delay().get() == 4
    assert tasks["double"].starmap([(1,), (2,)]).delay().get() == [2, 4]


def test_apply_runs_a_coroutine_where_a_loop_runs_already(app: LiteQ) -> None:
    app.conf.task_always_eager = True

    async def main() -> None:
        result = app.tasks["who"].delay()
        assert result.get() == [result.id, "who", result.id, result.id]
        assert await app.tasks["double"].adelay(4).aget() == 8

    asyncio.run(main())


def test_a_direct_call_returns_what_is_awaited(app: LiteQ) -> None:
    async def main() -> None:
        assert await app.tasks["double"](3) == 6
        assert await app.tasks["double"].s(4)() == 8
        assert (await app.tasks["who"]())[:2] == [None, "who"]
        found = await asyncio.gather(*(app.tasks["double"](n) for n in range(3)))
        assert found == [0, 2, 4]
        with pytest.raises(KeyError):
            await app.tasks["flaky"]()

    asyncio.run(main())


def test_hooks_and_signals_see_the_value_of_a_coroutine(app: LiteQ) -> None:
    seen: list[Any] = []

    class Hooked(Task[..., Any]):
        def on_success(self, retval: Any, *_: Any) -> None:
            seen.append(("on_success", retval))

        def on_failure(self, exc: BaseException, *_: Any) -> None:
            seen.append(("on_failure", exc.args))

    @app.task(base=Hooked)
    async def job(x: int) -> int:
        await asyncio.sleep(0)
        return x // (x - 1)

    def succeeded(result: Any = None, **_: Any) -> None:
        seen.append(("signal", result))

    signals.task_success.connect(succeeded)
    try:
        job.delay(2)
        job.delay(1)
        drain(app)
    finally:
        signals.task_success.disconnect(succeeded)
    assert seen[:2] == [("on_success", 2), ("signal", 2)]
    assert seen[2][0] == "on_failure"


def test_a_class_with_a_coroutine_for_run_or_call(app: LiteQ) -> None:
    class Job(Task[..., Any]):
        name = "job"

        async def run(self, x: int) -> int:
            await asyncio.sleep(0)
            return x + 1

    class Called(Job):
        name = "called"

        async def __call__(self, *args: Any) -> int:
            value: int = await super().__call__(*args)
            return 10 * value

    results = [app.register_task(kind).delay(1) for kind in (Job, Called)]
    drain(app)
    assert [each.get(timeout=0) for each in results] == [2, 20]


def test_models_of_pydantic_are_taken_and_returned(app: LiteQ) -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Point", x=(int, 0))

    async def move(point: Any) -> Any:
        return model(x=point.x + 1)

    move.__annotations__ = {"point": model, "return": model}
    task = app.task(pydantic=True)(move)
    result = task.delay({"x": 1})
    drain(app)
    assert result.get(timeout=0) == {"x": 2}


def test_the_loop_of_a_thread_is_closed_with_what_is_open_in_it() -> None:
    closed: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append("generator")

    kept: list[Any] = []

    async def work() -> None:
        kept.append(numbers())
        await anext(kept[0])

    def in_thread() -> None:
        coroutines.run_coroutine(work())
        assert closed == []
        coroutines.close_loop()

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join(SOON)
    assert closed == ["generator"]


def test_a_thread_that_ends_closes_its_loop() -> None:
    loops: list[Any] = []

    async def work() -> None:
        loops.append(asyncio.get_running_loop())

    thread = threading.Thread(target=lambda: coroutines.run_coroutine(work()))
    thread.start()
    thread.join(SOON)
    assert loops[0].is_closed()


def test_a_soft_limit_is_a_cancellation_for_asyncio_and_an_error_for_the_task() -> None:
    cancelled: list[str] = []

    async def child() -> None:
        try:
            await asyncio.sleep(SOON)
        except asyncio.CancelledError:
            cancelled.append("child")
            raise

    async def work() -> None:
        async with asyncio.timeout(SOON), asyncio.TaskGroup() as tasks:
            tasks.create_task(child())

    with pytest.raises(SoftTimeLimitExceeded) as caught:
        coroutines.run_coroutine(work(), 0.05)
    assert type(caught.value) is SoftTimeLimitExceeded
    assert caught.value.args == (0.05,)
    assert cancelled == ["child"]

    async def goes_on() -> str:
        try:
            await asyncio.sleep(SOON)
        except SoftTimeLimitExceeded:
            await asyncio.sleep(0.01)  # time to clean up
        return "done"

    assert coroutines.run_coroutine(goes_on(), 0.05) == "done"
    coroutines.close_loop()
