"""Coroutines that send tasks and await their results, on each store."""

import asyncio
import gc
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from liteq import GroupResult, LiteQ, ResultSet, Task, chain, chord, group, signals
from liteq.exceptions import (
    BrokerRefused,
    InvalidTaskError,
    TimeoutError,
)
from liteq.result import poller
from liteq.sending import groupcommit
from liteq.testing import MemoryBroker, drain
from tests.servers import needs_redis

STORES = ["memory", "sqlite", pytest.param("redis", marks=needs_redis)]
SOON = 20.0
_HELPERS = {"liteq-results", "liteq-sends"}


class Oops(Exception):
    """An exception of a task."""


@pytest.fixture(params=STORES)
def app(request: pytest.FixtureRequest) -> Iterator[LiteQ]:
    urls = {"sqlite": "store", "redis": "redis_store"}
    kind = request.param
    url = request.getfixturevalue(urls[kind]) if kind in urls else "memory://"
    with LiteQ("project", broker=url) as app:
        yield app


@pytest.fixture
def add(app: LiteQ) -> Task[..., Any]:
    @app.task
    def add(x: int, y: int = 0) -> int:
        return x + y

    return app.tasks[add.name]


@pytest.fixture
def fail(app: LiteQ) -> Task[..., Any]:
    @app.task
    def fail(*_: object) -> None:
        raise Oops("no")

    return app.tasks[fail.name]


def run(main: Coroutine[Any, Any, Any], loop: Callable[[], Any] | None = None) -> Any:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(asyncio.wait_for(main, SOON))


@asynccontextmanager
async def worker(app: LiteQ) -> AsyncIterator[None]:
    async with app.Worker(pool="threads", concurrency=2):
        yield


class WithoutReaders(asyncio.SelectorEventLoop):
    """A loop that watches no descriptors, as that of Windows."""

    def add_reader(self, *_: Any) -> None:  # type: ignore[override]
        raise NotImplementedError


LOOPS = pytest.mark.parametrize("loop", ["the default", "without readers", "uvloop"])


def factory_of(loop: str) -> Callable[[], Any] | None:
    if loop == "uvloop":
        found: Callable[[], Any] = pytest.importorskip("uvloop").new_event_loop
        return found
    return WithoutReaders if loop == "without readers" else None


@LOOPS
def test_a_coroutine_sends_a_task_and_awaits_its_value(
    app: LiteQ, add: Task[..., Any], loop: str
) -> None:
    factory = factory_of(loop)

    async def main() -> None:
        async with worker(app):
            result = await add.adelay(1, 2)
            assert await result == 3
            assert await result == 3  # known by now
            assert await result.aget(timeout=0) == 3
            assert await add.adelay(3, y=4).aget(timeout=SOON) == 7
            assert await (await add.aapply_async((5,), {"y": 6}, priority=3)) == 11
            async with asyncio.TaskGroup() as tasks:
                sent = tasks.create_task(add.adelay(1))
            assert await sent.result().aget() == 1

    run(main(), factory)


def test_the_error_of_a_task_is_raised_in_the_coroutine(app: LiteQ, fail: Task[..., Any]) -> None:
    async def main() -> None:
        async with worker(app):
            with pytest.raises(Oops):
                await (await fail.adelay())
            found: Any = await fail.adelay().aget(propagate=False)
            assert isinstance(found, Oops)

    run(main())


def test_canvases_are_sent_and_awaited(app: LiteQ, add: Task[..., Any]) -> None:
    total = app.task(name="total")(sum)

    async def main() -> None:
        async with worker(app):
            assert await chain(add.s(1), add.s(2), add.s(3)).adelay().aget() == 6
            assert await (add.s(1) | add.s(2)).adelay(4).aget() == 7
            results = await group(add.s(n) for n in range(5)).adelay()
            assert isinstance(results, GroupResult)
            assert await results == [0, 1, 2, 3, 4]
            assert await chord([add.s(n) for n in range(5)], total.s()).adelay().aget() == 10
            assert await add.chunks([(1, 1), (2, 2)], 1).adelay().aget() == [[2], [4]]
            assert await add.s(1).adelay(2).aget() == 3
            assert await app.signature(add.name, (1,)).aapply_async((1,), countdown=0).aget() == 2

    run(main())


def test_the_error_of_an_earlier_step_is_raised(
    app: LiteQ, add: Task[..., Any], fail: Task[..., Any]
) -> None:
    never = add.s(1).set(queue="no worker serves")

    async def main() -> None:
        async with worker(app):
            with pytest.raises(Oops):
                await chain(add.s(1), fail.s(), add.s(2)).adelay().aget()
            with pytest.raises(Oops):  # though the body can only be skipped when all have ended
                await chord([never, fail.s()], add.si(1)).adelay().aget()
            with pytest.raises(Oops):
                await group(never, fail.s()).adelay().aget()

    run(main())


def test_results_come_as_they_complete(
    app: LiteQ, add: Task[..., Any], fail: Task[..., Any]
) -> None:
    async def main() -> None:
        async with worker(app):
            results = await group(add.s(1), fail.s(), add.s(2)).adelay()
            seen = [result async for result in results.as_completed(timeout=SOON)]
            assert {result.id for result in seen} == {result.id for result in results}
            assert all(result.known for result in seen)
            first = ResultSet([await add.adelay(n) for n in range(300)])
            assert sorted([r.get() async for r in first.as_completed()]) == [*range(300)]
            assert await first == [*range(300)]
            assert await ResultSet([]) == []

    run(main())


def test_many_calls_are_sent_in_one_transaction(app: LiteQ, add: Task[..., Any]) -> None:
    async def main() -> list[Any]:
        results = await app.aenqueue_many(add.s(n) for n in range(10))
        results += await add.adelay_many([(n, 1) for n in range(10)])
        results.append(await app.asend_task(add.name, (1, 1)))
        return results

    results = run(main())
    drain(app)
    assert [each.get(timeout=0) for each in results] == [*range(10), *range(1, 11), 2]


def test_a_call_that_cannot_be_sent_raises_in_its_caller(app: LiteQ, add: Task[..., Any]) -> None:
    async def main() -> None:
        with pytest.raises(TypeError):
            await add.adelay()
        with pytest.raises(InvalidTaskError):
            await add.aapply_async((1,), priority="high")  # type: ignore[arg-type]
        first = await add.aapply_async((1,), task_id="one")
        again = await add.aapply_async((1,), task_id="one")
        assert (first.duplicate, again.duplicate) == (False, True)

    run(main())


def test_a_time_that_is_over_is_told_with_the_reason(app: LiteQ, add: Task[..., Any]) -> None:
    async def main() -> None:
        result = await add.adelay(1)
        with pytest.raises(TimeoutError, match="no worker serves"):
            await result.aget(timeout=0.01)
        drain(app)
        assert await result.aget(timeout=0) == 1

    run(main())


def test_a_wait_without_a_timeout_ends_with_the_last_worker(
    app: LiteQ, add: Task[..., Any]
) -> None:
    async def main() -> None:
        async with worker(app):
            await add.adelay(1).aget()
            waiting = asyncio.create_task((await add.aapply_async((1,), countdown=3600)).aget())
        with pytest.raises(TimeoutError, match="no worker is up"):
            await waiting

    run(main())


def test_an_iteration_may_be_left_early(app: LiteQ, add: Task[..., Any]) -> None:
    async def main() -> None:
        async with worker(app):
            results = await group(add.s(n) for n in range(20)).adelay()
            async for result in results.as_completed():
                assert result.known
                break
            never = await add.aapply_async((1,), queue="no worker serves")
            async with asyncio.timeout(SOON):
                async for result in ResultSet([never, await add.adelay(1)]).as_completed():
                    assert result.get() == 1
                    break
            assert len(await results) == 20

    run(main())


def test_a_task_that_a_coroutine_sends_inside_a_task_has_its_parent(app: LiteQ) -> None:
    seen: list[Any] = []

    @app.task(bind=True)
    def child(self: Any) -> None:
        seen.append((self.request.parent_id, self.request.root_id))

    @app.task
    def parent() -> None:
        async def send() -> None:
            await child.adelay()
            await child.aapply_async((), task_id="known")
            await group(child.s(), child.s()).adelay()
            await app.aenqueue_many([child.s()])

        asyncio.run(send())

    result = parent.delay()
    drain(app)
    assert seen == [(result.id, result.id)] * 5


def test_waiting_inside_a_task_is_refused_as_without_coroutines(
    app: LiteQ, add: Task[..., Any]
) -> None:
    @app.task
    def waits() -> str:
        async def main() -> None:
            await (await add.adelay(1))

        with pytest.raises(RuntimeError, match="inside a task"):
            asyncio.run(main())
        return "refused"

    result = waits.delay()
    drain(app)
    assert result.get(timeout=0) == "refused"


def test_a_cancelled_wait_leaves_the_others_alone(app: LiteQ, add: Task[..., Any]) -> None:
    async def main() -> None:
        result = await add.adelay(1)
        waits = [asyncio.create_task(result.aget()) for _ in range(3)]
        await asyncio.sleep(0)
        waits[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits[0]
        drain(app)
        assert await asyncio.gather(*waits[1:]) == [1, 1]

    run(main())


def test_several_loops_in_several_threads_wait(app: LiteQ, add: Task[..., Any]) -> None:
    values: list[int] = []

    async def calls() -> None:
        values.extend([await add.adelay(n).aget() for n in range(10)])

    with app.Worker(pool="threads", concurrency=2):
        threads = [threading.Thread(target=run, args=(calls(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SOON)
    assert sorted(values) == sorted([*range(10)] * 4)


def test_a_loop_that_is_closed_leaves_nothing_behind(
    app: LiteQ, add: Task[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "_IDLE", 0.01)
    monkeypatch.setattr(poller, "_CHECK_LOOPS_EVERY", 0.0)
    monkeypatch.setattr(groupcommit, "_IDLE", 0.01)
    before = {each for each in threading.enumerate() if each.name in _HELPERS}

    async def wait() -> None:
        result = await add.adelay(1)
        await result.aget()

    loop = asyncio.new_event_loop()
    waiting = loop.create_task(wait())
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.close()
    del waiting
    gc.collect()
    for thread in threading.enumerate():
        if thread.name in _HELPERS and thread not in before:
            thread.join(SOON)
            assert not thread.is_alive()
    drain(app)

    async def again() -> Any:
        async with worker(app):
            return await add.adelay(2).aget()

    assert run(again()) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_sends_and_waits_anew(store: str) -> None:
    with LiteQ("project", broker=store) as app:
        add = app.task(name="add")(lambda x, y=0: x + y)

        async def main() -> Any:
            return await add.adelay(1, 2).aget(timeout=SOON)

        with app.Worker(pool="threads", concurrency=1):
            assert run(main()) == 3
            pid = os.fork()
            if pid == 0:
                code = 1
                with suppress(BaseException):
                    code = 0 if run(main()) == 3 else 2
                os._exit(code)
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0


class Counting(MemoryBroker):
    """A store that counts its transactions, and refuses a task on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def enqueue(self, messages: Any, *, durable: bool = False) -> Any:
        self.may_go_on.wait(SOON)
        if any(b"refused" in message.payload for message in messages):
            raise BrokerRefused("not this one")
        self.sizes.append(len(messages))
        return super().enqueue(messages, durable=durable)


@pytest.fixture
def counted() -> Counting:
    return Counting()


def test_sends_that_come_together_share_a_transaction(counted: Counting) -> None:
    app = LiteQ("project", broker=counted)
    add = app.task(name="add", serializer="json")(lambda x: x)
    counted.may_go_on.clear()

    async def main() -> None:
        sends = [asyncio.create_task(add.adelay(n)) for n in range(100)]
        await asyncio.sleep(0.01)  # the loop goes on, though the store does not answer
        counted.may_go_on.set()
        results = await asyncio.gather(*sends)
        assert len({each.id for each in results}) == 100

    run(main())
    assert sum(counted.sizes) == 100
    assert len(counted.sizes) <= 2


def test_a_task_that_is_refused_fails_its_own_caller_only(counted: Counting) -> None:
    app = LiteQ("project", broker=counted)
    add = app.task(name="add", serializer="json")(lambda x: x)

    async def main() -> list[Any]:
        texts = ["a", "refused", "b"]
        return [*await asyncio.gather(*map(add.adelay, texts), return_exceptions=True)]

    first, second, third = run(main())
    assert isinstance(second, BrokerRefused)
    drain(app)
    assert (first.get(timeout=0), third.get(timeout=0)) == ("a", "b")


def test_signals_around_a_send_are_sent_in_the_thread_of_the_caller(app: LiteQ) -> None:
    add = app.task(name="add")(lambda x: x)
    seen: list[tuple[str, Any]] = []

    def before(**_: Any) -> None:
        seen.append(("before", threading.current_thread()))

    def after(**_: Any) -> None:
        seen.append(("after", threading.current_thread()))

    signals.before_task_publish.connect(before)
    signals.after_task_publish.connect(after)
    try:
        run(_await(add.adelay(1)))
    finally:
        signals.before_task_publish.disconnect(before)
        signals.after_task_publish.disconnect(after)
    me = threading.current_thread()
    assert seen == [("before", me), ("after", me)]


async def _await(what: Any) -> Any:
    return await what


def test_an_eager_application_runs_the_task(app: LiteQ, add: Task[..., Any]) -> None:
    app.conf.task_always_eager = True

    async def main() -> None:
        assert await add.adelay(1, 2).aget() == 3
        assert await (await chain(add.s(1), add.s(2)).adelay()) == 3
        (result,) = await app.aenqueue_many([add.s(4)])
        assert await result == 4

    run(main())


def test_the_method_of_a_class_of_a_user_sends(app: LiteQ) -> None:
    class Loud(Task[..., Any]):
        def apply_async(
            self, args: Any = None, kwargs: Any = None, task_id: Any = None, **options: Any
        ) -> Any:
            return super().apply_async(("loud",), kwargs, task_id, **options)

    @app.task(base=Loud)
    def echo(text: str) -> str:
        return text

    result = run(_await(echo.adelay("quiet")))
    drain(app)
    assert result.get(timeout=0) == "loud"


@pytest.mark.parametrize("app", STORES[1:], indirect=True)
def test_five_thousand_waits_take_one_thread_one_listener_and_no_time_of_the_loop(
    app: LiteQ, add: Task[..., Any]
) -> None:
    """The time is the processor time of the loop's own thread, to which other programs do not
    add. That it does not wait for the store, another test shows."""
    results = add.delay_many([(n,) for n in range(5000)])
    longest = 0.0

    async def heartbeat() -> None:
        nonlocal longest
        before = time.thread_time()
        while True:
            await asyncio.sleep(0.0005)
            now = time.thread_time()
            longest, before = max(longest, now - before), now

    async def main() -> None:
        beat = asyncio.create_task(heartbeat())
        waits = []
        gc.collect()
        gc.disable()
        threads = threading.active_count()
        files = _open_files()
        try:
            for n, result in enumerate(results):
                waits.append(asyncio.create_task(result.aget(timeout=SOON)))
                if n % 20 == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(0.1)
            assert threading.active_count() <= threads + 1 + _TENDS
            assert _open_files() - files < 20
            async with worker(app):
                assert [await each for each in waits] == [*range(5000)]
        finally:
            gc.enable()
            beat.cancel()

    run(main())
    assert longest < 0.005


_TENDS = 1  # a thread that reads what Redis sends to listeners in between


def _open_files() -> int:
    folder = Path("/proc/self/fd")
    return len([*folder.iterdir()]) if folder.is_dir() else 0


def test_the_loop_goes_on_while_another_program_locks_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with LiteQ("project", broker=f"sqlite:///{path}") as app:
        add = app.task(name="add")(lambda x: x)
        known = add.delay(0)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")

            async def main() -> None:
                sending = asyncio.create_task(add.adelay(1))
                waiting = asyncio.create_task(known.aget())
                await asyncio.sleep(0.05)
                assert not sending.done()
                other.execute("rollback")  # done by the loop: were it blocked, it would never be
                result = await sending
                await asyncio.to_thread(drain, app)
                assert (await waiting, await result) == (0, 1)

            run(main())


def test_a_call_in_a_transaction_of_the_application_is_a_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("pragma journal_mode=wal")
    with LiteQ("project", broker=f"sqlite:///{path}?shared=1") as app:
        add = app.task(name="add")(lambda x: x)

        async def main() -> None:
            connection = sqlite3.connect(path)
            with closing(connection), suppress(ZeroDivisionError), app.transaction(connection):
                lost = await add.adelay(0)
                raise ZeroDivisionError
            assert not lost.exists()
            connection = sqlite3.connect(path)
            with closing(connection), app.transaction(connection):
                kept = [await add.adelay(1), await add.s(2).adelay()]
                kept += await app.aenqueue_many([add.s(3)])
            assert all(each.exists() for each in kept)
            connection = sqlite3.connect(path)
            with closing(connection):
                connection.execute("begin immediate")
                joined = await add.aapply_async((4,), connection=connection)
                connection.rollback()
            assert not joined.exists()

        run(main())
