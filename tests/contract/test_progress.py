"""Tasks that say how far they have come, in each pool, and those who watch them, on each store."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from liteq import AsyncResult, LiteQ, current_task, group
from liteq.exceptions import TaskRevokedError, TimeoutError
from liteq.model.progress import Progress
from liteq.result import GroupResult
from liteq.result import observers as observers_module
from liteq.result import poller as poller_module
from liteq.result.status import Status
from liteq.states import Phase

POOLS = ["processes", "threads", "solo"]
STORES = ["store", "redis_store"]
SOON = 20.0

PROJECT = """
from liteq import LiteQ
from tests.contract.test_progress import make_tasks
app = LiteQ('p', broker={url!r})
make_tasks(app)
"""


def wait_for_file(path: str) -> None:
    end = time.monotonic() + SOON
    while not Path(path).exists():
        assert time.monotonic() < end
        time.sleep(0.005)


def make_tasks(app: LiteQ) -> None:  # noqa: C901 - they are many, not complex
    """The tasks of a program, as a child process makes them too."""

    @app.task(bind=True, name="walk")
    def walk(self: Any, count: int, stop: str | None = None) -> int:
        for row in self.progress(range(count), "walking"):
            if row == 3 and stop is not None:
                wait_for_file(stop)
        return count

    @app.task(bind=True, name="fail")
    def fail(self: Any) -> None:
        for row in self.progress(range(10)):
            if row == 7:
                raise ValueError("no")

    @app.task(bind=True, name="both")
    def both(self: Any, stop: str) -> None:
        self.progress(1, 2, "half")
        self.update_state(state="HALF", meta={"at": 1})
        wait_for_file(stop)

    @app.task(bind=True, name="in_threads")
    def in_threads(self: Any) -> None:
        progress, done = self.progress, threading.Event()

        def work(number: int) -> None:
            progress(number, 4, "in a thread")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, [1, 2, 3]))

        def last() -> None:
            progress(4, 4)
            done.set()

        threading.Thread(target=last).start()
        assert done.wait(SOON)

    @app.task(bind=True, name="by_itself")
    def by_itself(self: Any) -> str:
        """Call `self.progress` in a thread to which nothing was handed over."""
        found: list[str] = []

        def work() -> None:
            try:
                self.progress(1, 4)
                found.append(f"said, {self.is_revoked()}")
            except RuntimeError as exc:
                found.append(str(exc))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return found[0]

    @app.task(bind=True, name="in_coroutines")
    async def in_coroutines(self: Any) -> list[int]:
        async def rows() -> AsyncIterator[int]:
            for row in range(3):
                await asyncio.sleep(0)
                yield row

        done = [row async for row in self.progress(rows(), "async")]

        async def say() -> None:
            self.progress(4, 6)

        await asyncio.create_task(say())
        await asyncio.to_thread(lambda: current_task.progress(5, 6, "to_thread"))
        return done

    @app.task(bind=True, name="retried", max_retries=1)
    def retried(self: Any, stop: str) -> None:
        if not self.request.retries:
            self.progress(9, 10, "the first run")
            raise self.retry(countdown=0)
        wait_for_file(stop)

    @app.task(bind=True, name="sleeper")
    def sleeper(self: Any) -> None:
        self.step("one", int)
        self.progress(1, 2, "before the sleep")
        self.sleep("a while", seconds=1000)

    @app.task(bind=True, name="gentle")
    def gentle(self: Any, begun: str, how: str) -> str:
        asked = self.is_revoked()
        Path(begun).touch()
        end = time.monotonic() + SOON
        while not self.is_revoked():
            assert time.monotonic() < end
            time.sleep(0.005)
        if how == "raise":
            raise TaskRevokedError("as asked")
        return f"first {asked}"

    @app.task(bind=True, name="gentle_async")
    async def gentle_async(self: Any, begun: str) -> str:
        await asyncio.to_thread(Path(begun).touch)
        while not self.is_revoked():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)
        return "ended"


class Running:
    """An application with one worker."""

    def __init__(self, app: LiteQ, pool: str) -> None:
        self.app, self.pool = app, pool

    def send(self, name: str, *args: Any) -> AsyncResult[Any]:
        return self.app.tasks[name].delay(*args)

    def value(self, name: str, *args: Any) -> tuple[Any, Progress | None]:
        result = self.send(name, *args)
        return result.get(timeout=SOON), result.progress


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=POOLS)
def running(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "progressproject.py").write_text(PROJECT.format(url=url))
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "progressproject", raising=False)
    import progressproject  # type: ignore[import-not-found]

    app: LiteQ = progressproject.app
    with app.Worker(pool=request.param, concurrency=1):
        yield Running(app, request.param)
    app.close()
    monkeypatch.undo()


def reached(statuses: Iterator[Status], test: Callable[[Status], bool]) -> Status:
    """Return the first status that passes `test`."""
    return next(each for each in statuses if test(each))


def test_progress_comes_from_each_pool_and_stays_as_it_was_at_the_end(
    running: Running, tmp_path: Path
) -> None:
    """One worker for all of these, as to start one takes longer than they do."""
    stop = tmp_path / "stop"
    walk = running.send("walk", 10, str(stop))
    seen = reached(walk.watch(SOON), lambda each: each.progress is not None)
    assert seen.progress is not None
    assert seen.progress[:2] == (3, 10)
    assert (seen.progress.text, seen.state, seen.phase) == ("walking", "STARTED", Phase.RUNNING)
    assert abs(seen.progress.at - running.app.broker.clock()) < SOON
    stop.touch()
    assert walk.get(timeout=SOON) == 10
    assert walk.progress is not None
    assert (walk.progress[:2], walk.progress.fraction) == ((10, 10), 1.0)

    fail = running.send("fail")
    with pytest.raises(ValueError, match="no"):
        fail.get(timeout=SOON)
    assert fail.progress is not None
    assert fail.progress[:2] == (7, 10)

    assert running.value("in_coroutines")[0] == [0, 1, 2]
    assert running.send("walk", 0).get(timeout=SOON) == 0
    for name, last in [("in_threads", (4, 4)), ("in_coroutines", (5, 6))]:
        found = running.value(name)[1]
        assert found is not None
        assert found[:2] == last


def test_progress_and_a_state_are_two_things(running: Running, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    both = running.send("both", str(stop))
    if running.pool != "solo":  # which writes states once the task has ended
        seen = reached(both.watch(SOON), lambda each: bool(each.progress) and each.state == "HALF")
        assert seen.progress is not None
        assert (seen.progress[:3:2], both.info) == ((1, seen.progress.rate), {"at": 1})
    stop.touch()
    both.get(timeout=SOON)
    assert both.progress is not None
    assert (both.progress.done, both.progress.text) == (1, "half")


def test_a_thread_of_the_task_says_it_where_a_process_runs_one_task(running: Running) -> None:
    value, progress = running.value("by_itself")

    if running.pool == "threads":
        assert "take `progress = self.progress` before it starts the thread" in value
        assert progress is None
    else:
        assert value == "said, False"
        assert progress is not None
        assert progress[:2] == (1, 4)


def test_what_a_retried_run_has_said_is_not_the_progress_of_the_next(
    running: Running, tmp_path: Path
) -> None:
    stop = tmp_path / "stop"
    retried = running.send("retried", str(stop))
    seen = [*map(_shown, _until(retried, lambda: retried.retries == 1 and _runs(retried)))]
    assert retried.progress is None
    assert set(seen) <= {None, (9, 10)}
    stop.touch()
    retried.get(timeout=SOON)
    assert retried.progress is None


def _shown(progress: Progress | None) -> tuple[float, float | None] | None:
    return progress and progress[:2]


def _runs(result: AsyncResult[Any]) -> bool:
    return result.phase is Phase.RUNNING


def _until(result: AsyncResult[Any], done: Callable[[], bool]) -> Iterator[Progress | None]:
    end = time.monotonic() + SOON
    while not done():
        assert time.monotonic() < end
        yield result.progress
        time.sleep(0.005)


def test_progress_stays_while_a_task_sleeps(running: Running) -> None:
    sleeper = running.send("sleeper")
    list(_until(sleeper, lambda: sleeper.phase is Phase.SCHEDULED))

    assert sleeper.progress is not None
    assert sleeper.progress.text == "before the sleep"


@pytest.mark.parametrize(("how", "state"), [("return", "SUCCESS"), ("raise", "REVOKED")])
def test_a_task_that_asks_ends_when_it_is_revoked(
    running: Running, tmp_path: Path, how: str, state: str
) -> None:
    begun = tmp_path / "begun"
    gentle = running.send("gentle", str(begun), how)
    wait_for_file(str(begun))
    # A process would be killed at once.
    gentle.revoke(terminate=running.pool != "processes")
    if how == "raise":
        with pytest.raises(TaskRevokedError):
            gentle.get(timeout=SOON)
        assert gentle.phase is Phase.CANCELLED
    else:
        assert gentle.get(timeout=SOON) == "first False"
    assert gentle.state == state


def test_a_coroutine_that_asks_ends_too(running: Running, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    gentle = running.send("gentle_async", str(begun))
    wait_for_file(str(begun))
    gentle.revoke()
    assert gentle.get(timeout=SOON) == "ended"


# watching


@pytest.fixture(params=["memory", *STORES])
def app(request: pytest.FixtureRequest) -> Iterator[LiteQ]:
    kind = request.param
    url = "memory://" if kind == "memory" else request.getfixturevalue(kind)
    with LiteQ("project", broker=url, set_as_current=False) as app:
        make_tasks(app)
        yield app


@pytest.fixture
def rare_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let those who watch be notified, or wait for long."""
    monkeypatch.setattr(poller_module, "POLL_EVERY", 1000.0)


@pytest.mark.usefixtures("rare_polls")
def test_who_watches_is_notified_and_sees_the_end(app: LiteQ, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    with app.Worker(pool="threads", concurrency=1):
        result = app.tasks["walk"].delay(5, str(stop))
        statuses = result.watch(SOON)
        seen = reached(statuses, lambda each: each.progress is not None)
        assert seen.progress is not None
        assert seen.progress.done == 3
        stop.touch()
        last = list(statuses)[-1]
    assert (last.state, last.phase, last.ready) == ("SUCCESS", Phase.SUCCEEDED, True)
    assert last.progress is not None
    assert last.progress.done == 5


@pytest.mark.usefixtures("rare_polls")
def test_coroutines_watch_too_without_threads_of_their_own(app: LiteQ, tmp_path: Path) -> None:
    stop = tmp_path / "stop"

    async def follow(result: AsyncResult[Any]) -> list[Status]:
        seen = []
        async for status in result.watch(SOON):
            seen.append(status)
            if status.progress is not None:
                stop.touch()
        return seen

    async def go() -> list[list[Status]]:
        result = app.tasks["walk"].delay(5, str(stop))
        before = threading.active_count()
        watching = asyncio.gather(*(follow(result) for _ in range(50)))
        await asyncio.sleep(0)
        assert threading.active_count() <= before + 2
        return await watching

    with app.Worker(pool="threads", concurrency=1):
        for seen in asyncio.run(go()):
            assert seen[-1].state == "SUCCESS"
            assert seen[-1].progress is not None
            assert seen[-1].progress.done == 5


def test_a_group_adds_up_its_tasks(app: LiteQ, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    walk = app.tasks["walk"]
    result = group(walk.s(6, str(stop)), walk.s(0), walk.s(0), walk.s(0)).delay()
    assert isinstance(result, GroupResult)
    assert next(iter(result.watch())).state == "PENDING"
    assert result.progress is not None
    assert result.progress[:3] == (0, 4, None)
    with app.Worker(pool="threads", concurrency=2):
        statuses = result.watch(SOON)
        seen = reached(statuses, lambda each: (each.progress or Progress()).done == 3.5)
        assert (seen.state, seen.phase) == ("STARTED", None)
        stop.touch()
        last = list(statuses)[-1]
    assert (last.state, last.progress and last.progress.fraction) == ("SUCCESS", 1.0)
    assert result.progress.total == 4


def test_a_group_has_failed_if_one_of_its_tasks_has(app: LiteQ) -> None:
    result = group(app.tasks["walk"].s(1), app.tasks["fail"].s()).delay()
    with app.Worker(pool="threads", concurrency=2):
        assert list(result.watch(SOON))[-1].state == "FAILURE"


def test_a_watch_ends_with_an_error_when_its_time_is_over(app: LiteQ) -> None:
    result = app.tasks["walk"].delay(1)
    statuses = result.watch(timeout=0.05)
    assert next(statuses) == Status("PENDING", Phase.READY, None)
    with pytest.raises(TimeoutError, match=f"{result.id} has not ended within 0.05 seconds"):
        next(statuses)

    async def go() -> list[Status]:
        return [status async for status in result.watch(timeout=0.05)]

    with pytest.raises(TimeoutError, match=r"has not ended within 0\.05 seconds"):
        asyncio.run(go())


def test_an_unknown_task_is_watched_as_pending_and_has_no_progress(app: LiteQ) -> None:
    result: AsyncResult[Any] = app.AsyncResult("unknown")
    assert result.progress is None
    assert next(result.watch(SOON)) == Status("PENDING", None, None)


def test_a_watch_that_is_given_up_is_forgotten(app: LiteQ) -> None:
    result = app.tasks["walk"].delay(1)
    for _ in result.watch(SOON):
        break
    statuses = result.watch(SOON)
    next(statuses)
    del statuses
    with app.Worker(pool="threads", concurrency=1):
        assert result.get(timeout=SOON) == 1
        assert app.tasks["walk"].delay(2).watch(SOON).__next__() is not None


def test_a_watch_ends_where_no_worker_is_left(app: LiteQ) -> None:
    with app.Worker(pool="threads", concurrency=1):
        pass
    with pytest.raises(TimeoutError, match="no worker is up"):
        list(app.tasks["walk"].delay(1).watch())


def test_a_task_may_not_watch_another_one(app: LiteQ) -> None:
    @app.task
    def nested() -> None:
        list(app.tasks["walk"].delay(1).watch())

    with (
        app.Worker(pool="threads", concurrency=1),
        pytest.raises(RuntimeError, match="hold a slot"),
    ):
        nested.delay().get(timeout=SOON)


def test_a_store_that_is_away_for_long_ends_a_watch(
    app: LiteQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    from liteq.exceptions import BrokerUnreachable

    result = app.tasks["walk"].delay(1)
    statuses = result.watch(SOON)
    next(statuses)

    def away(*_: Any) -> Any:
        raise BrokerUnreachable("it is away")

    monkeypatch.setattr(observers_module, "UNREACHABLE_LIMIT", 0.2)
    monkeypatch.setattr(app.broker, "progress", away)
    with pytest.raises(BrokerUnreachable, match="it is away"):
        list(statuses)
