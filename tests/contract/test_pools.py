"""Tests of all pools, and of what only the process pool can do."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from selectors import DefaultSelector

import pytest

from liteq.exceptions import ImproperlyConfigured, LiteqError
from liteq.model.message import Delivery, Message, Receipt, new_id
from liteq.model.outcome import Kind, Outcome
from liteq.model.step import Step
from liteq.pools import Pool, PoolBroken, PoolEvents, make_pool
from liteq.pools.base import CLAIM_LOST, KEPT, Kill, Limits, RunnerSpec

from .runners import spec

DEADLINE = 20.0

posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and named pipes")


def delivery(task: str) -> Delivery:
    return Delivery(Message(new_id(), task, b"", "json", "celery"), Receipt(1, 1))


class Driver:
    """The event loop of a pool, as a supervisor has it."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.selector = DefaultSelector()
        self.seen = PoolEvents()
        pool.start(self.selector)
        self.until(lambda: all(slot.up for slot in pool.slots))

    def turn(self) -> None:
        pause = self.pool.tend()
        for key, _ in self.selector.select(0.05 if pause is None else min(pause, 0.05)):
            key.data()
        news = self.pool.collect()
        self.seen.finished += [(each.delivery, each.outcome, each.slot) for each in news.succeeded]
        self.seen.finished += news.finished
        self.seen.returned += news.returned
        self.seen.updates += news.updates
        self.seen.steps += news.steps
        self.seen.outputs += news.outputs
        self.seen.deaths += news.deaths

    def until(self, done: object) -> None:
        deadline = time.monotonic() + DEADLINE
        while not done():  # type: ignore[operator]
            assert time.monotonic() < deadline, f"nothing happened: {self.seen}"
            self.turn()

    def run(self, *tasks: str, slot: int = 0) -> list[Outcome]:
        """Return the outcomes of `tasks`, submitted to one slot together."""
        before = len(self.seen.finished)
        self.pool.submit(self.pool.slots[slot], [delivery(task) for task in tasks])
        self.until(lambda: len(self.seen.finished) == before + len(tasks))
        return [outcome for _, outcome, _ in self.seen.finished[before:]]

    def close(self) -> None:
        self.pool.close()
        self.selector.close()


def results(outcomes: list[Outcome]) -> list[bytes | None]:
    return [outcome.result for outcome in outcomes]


KINDS = ["solo", "threads", "processes", "portable"]


def drive(kind: str, how: RunnerSpec, monkeypatch: pytest.MonkeyPatch, size: int = 2) -> Driver:
    if kind == "portable":
        monkeypatch.setenv("LITEQ_PORTABLE", "1")
    return Driver(make_pool("processes" if kind == "portable" else kind, size, how))


@pytest.fixture(params=KINDS)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = drive(request.param, spec(), monkeypatch)
    yield driver
    driver.close()


@pytest.fixture(params=["processes", "portable"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = drive(request.param, spec(), monkeypatch)
    yield driver
    driver.close()


def test_every_delivery_has_one_outcome_in_order(driver: Driver) -> None:
    tasks = [f"echo {n}" for n in range(300)]

    assert results(driver.run(*tasks)) == [f"{n}".encode() for n in range(300)]
    assert not driver.pool.slots[0].holding


def test_a_large_result_arrives_whole(driver: Driver) -> None:
    assert results(driver.run("large 5000000")) == [b"x" * 5_000_000]


def test_a_state_that_a_running_task_sends_arrives(driver: Driver) -> None:
    driver.run("progress half")
    driver.until(lambda: driver.seen.updates)

    assert [(update.state, update.meta) for update in driver.seen.updates] == [
        ("PROGRESS", b"half")
    ]


@pytest.mark.parametrize(
    ("answer", "result"), [(KEPT, b"True"), (CLAIM_LOST, b"False"), ("too large", b"too large")]
)
def test_a_task_waits_until_its_step_is_stored(
    processes: Driver, answer: str, result: bytes
) -> None:
    task = delivery("keep charge")
    processes.pool.submit(processes.pool.slots[0], [task, delivery("echo next")])
    processes.until(lambda: processes.seen.steps)
    (request,) = processes.seen.steps

    assert (request.delivery, request.step) == (
        task,
        Step("charge", "step", 1.5, None, b"value", "json"),
    )
    assert processes.pool.running(processes.pool.slots[0]) is not None
    assert processes.seen.finished == []
    processes.pool.answer(request, answer)
    processes.until(lambda: len(processes.seen.finished) == 2)
    assert results([each for _, each, _ in processes.seen.finished]) == [result, b"next"]


def test_a_child_gets_no_answers_to_the_one_before_it(processes: Driver) -> None:
    slot = processes.pool.slots[0]
    processes.pool.submit(slot, [delivery("keep first")])
    processes.until(lambda: processes.seen.steps)
    processes.pool.kill(slot, Kill(next(iter(slot.holding.values())), Kind.OVERDUE, "slow"))
    processes.until(lambda: processes.seen.deaths and slot.up)
    processes.pool.submit(slot, [delivery("keep second")])
    processes.until(lambda: len(processes.seen.steps) == 2)
    first, second = processes.seen.steps

    processes.pool.answer(first, CLAIM_LOST)  # too late
    processes.pool.answer(second, KEPT)
    processes.until(lambda: processes.seen.finished)
    assert results([each for _, each, _ in processes.seen.finished]) == [b"True"]


def test_an_outcome_does_not_wait_for_the_long_task_behind_it(processes: Driver) -> None:
    slot = processes.pool.slots[0]
    processes.pool.submit(slot, [delivery("echo short"), delivery("nap 60")])
    processes.until(lambda: processes.seen.finished)

    assert results([outcome for _, outcome, _ in processes.seen.finished]) == [b"short"]


@pytest.mark.parametrize("kind", ["threads", "processes", "portable"])
def test_what_waits_behind_a_long_task_is_taken_back(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver = drive(kind, spec(), monkeypatch)
    slot, gate, notes = driver.pool.slots[0], tmp_path / "gate", tmp_path / "notes"
    waiting = [delivery(f"note {notes}"), delivery(f"note {notes}")]
    driver.pool.submit(slot, [delivery(f"await {gate}"), *waiting])
    driver.until(lambda: driver.pool.running(slot))
    driver.pool.recall(slot)

    assert driver.pool.tend() == 0.0
    assert driver.pool.collect().returned == waiting
    assert len(slot.holding) == 1
    gate.touch()
    driver.until(lambda: slot.open and not slot.holding)
    assert results(driver.run("echo next")) == [b"next"]
    assert not notes.exists()
    driver.close()


@posix
def test_c_code_that_holds_the_interpreter_lock_cannot_keep_what_waits_behind_it(
    processes: Driver, tmp_path: Path
) -> None:
    slot, gate, notes = processes.pool.slots[0], tmp_path / "gate", tmp_path / "notes"
    os.mkfifo(gate)
    waiting = [delivery(f"note {notes}"), delivery(f"note {notes}")]
    processes.pool.submit(slot, [delivery(f"hold {gate}"), *waiting])
    with gate.open("wb") as writer:  # which waits until the task reads
        processes.pool.recall(slot)
        processes.turn()
        assert processes.seen.returned == waiting
        assert len(slot.holding) == 1
        writer.write(b"x")
    processes.until(lambda: slot.open and not slot.holding)

    assert results(processes.run("echo next")) == [b"next"]
    assert [each.result for _, each, _ in processes.seen.finished] == [b"held", b"next"]
    assert not notes.exists()


@posix
def test_a_stopped_child_cannot_keep_what_it_has_not_started(
    processes: Driver, tmp_path: Path
) -> None:
    slot, notes = processes.pool.slots[0], tmp_path / "notes"
    child = int(results(processes.run("pid"))[0] or 0)
    os.kill(child, signal.SIGSTOP)
    waiting = [delivery(f"note {notes}"), delivery(f"note {notes}")]
    processes.pool.submit(slot, waiting)
    processes.pool.recall(slot)
    processes.turn()
    assert processes.seen.returned == waiting
    assert not slot.holding
    assert not slot.open  # as long as the child does not go on, it gets nothing more
    os.kill(child, signal.SIGCONT)
    processes.until(lambda: slot.open)

    assert results(processes.run("pid")) == [str(child).encode()]
    assert not notes.exists()


@posix
def test_what_a_child_had_finished_before_it_was_stopped_counts_when_it_goes_on(
    processes: Driver, tmp_path: Path
) -> None:
    slot = processes.pool.slots[0]
    child = int(results(processes.run("pid"))[0] or 0)
    first, stop, behind = delivery("echo a"), delivery("stop"), delivery("echo b")
    processes.pool.submit(slot, [first, stop, behind])
    processes.until(lambda: (now := processes.pool.running(slot)) and now.delivery == stop)
    processes.pool.recall(slot)
    processes.until(lambda: processes.seen.returned)
    os.kill(child, signal.SIGCONT)
    processes.until(lambda: slot.open and not slot.holding)

    assert processes.seen.returned == [behind]
    assert [each for each, *_ in processes.seen.finished[1:]] == [first, stop]


@pytest.mark.parametrize("pace", ["echo slow", "hurry"])
def test_a_recall_at_any_moment_loses_no_task_and_runs_none_that_it_took_back(
    processes: Driver, tmp_path: Path, pace: str
) -> None:
    processes.run(pace)
    slot, notes = processes.pool.slots[0], tmp_path / "notes"
    sent = []
    for n in range(500):
        sent += (batch := [delivery(f"note {notes}") for _ in range(30)])
        processes.pool.submit(slot, batch)
        for _ in range(n % 4):
            if slot.holding:
                processes.turn()
        processes.pool.recall(slot)
        processes.until(lambda: slot.open)
    processes.until(lambda: not slot.holding)
    finished = [each.message.id for each, *_ in processes.seen.finished[1:]]
    returned = [each.message.id for each in processes.seen.returned]

    assert sorted(finished + returned) == sorted(each.message.id for each in sent)
    assert notes.read_text().split() == finished
    assert returned


def test_only_the_running_task_is_charged_with_the_death_of_its_child(processes: Driver) -> None:
    poison, beside = delivery("die"), delivery("echo innocent")
    processes.pool.submit(processes.pool.slots[0], [delivery("echo done"), poison, beside])
    processes.until(lambda: processes.seen.deaths)
    (death,) = processes.seen.deaths

    assert death.running == poison
    assert beside in death.waiting
    if sys.platform != "win32":
        assert "SIGKILL" in death.reason


def test_a_child_that_died_is_replaced(processes: Driver) -> None:
    (first,) = results(processes.run("pid"))
    processes.pool.submit(processes.pool.slots[0], [delivery("die")])
    processes.until(lambda: processes.seen.deaths and processes.pool.slots[0].up)

    assert results(processes.run("pid")) != [first]


@pytest.mark.parametrize("code", [0, 3])
def test_a_task_that_exits_is_a_death_with_its_code(processes: Driver, code: int) -> None:
    processes.pool.submit(processes.pool.slots[0], [delivery(f"exit {code}")])
    processes.until(lambda: processes.seen.deaths)

    assert f"code {code}" in processes.seen.deaths[0].reason


def test_a_task_finds_its_standard_input_empty(processes: Driver) -> None:
    assert results(processes.run("stdin")) == [b"''"]
    assert results(processes.run("echo after")) == [b"after"]


@pytest.mark.parametrize("kind", ["processes", "portable"])
def test_a_child_is_replaced_after_its_limit_of_tasks(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = drive(kind, spec(limits=Limits(tasks=2)), monkeypatch, size=1)
    slot = driver.pool.slots[0]
    driver.pool.submit(slot, [delivery("pid") for _ in range(3)])
    driver.until(lambda: len(driver.seen.finished) == 2 and driver.seen.deaths)
    (death,) = driver.seen.deaths
    driver.until(lambda: slot.up)
    driver.run("pid")
    first, second, third = results([outcome for _, outcome, _ in driver.seen.finished])

    assert (death.running, len(death.waiting)) == (None, 1)
    assert first == second != third
    driver.close()


@pytest.mark.skipif(sys.platform == "win32", reason="memory is not measured there")
@pytest.mark.parametrize("kind", ["processes", "portable"])
def test_a_child_over_its_limit_of_memory_is_replaced_between_two_tasks(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = drive(kind, spec(limits=Limits(memory=1)), monkeypatch, size=1)
    (first,) = results(driver.run("pid"))
    driver.until(lambda: not driver.pool.slots[0].up)
    driver.until(lambda: driver.pool.slots[0].up)
    (second,) = results(driver.run("pid"))

    assert first != second
    driver.close()


@pytest.mark.parametrize("kind", ["processes", "portable"])
def test_an_application_that_cannot_be_imported_breaks_the_pool_with_its_error(
    kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if kind == "portable":
        monkeypatch.setenv("LITEQ_PORTABLE", "1")
    pool = make_pool("processes", 1, spec(make="fail"))
    selector = DefaultSelector()
    pool.start(selector)

    def work() -> None:
        for _ in range(200):
            for key, _ in selector.select(min(pool.tend() or 0.1, 0.5)):
                key.data()
            pool.collect()

    with pytest.raises(PoolBroken, match="this application cannot be imported"):
        work()
    pool.close()


def gone(pid: int) -> bool:
    """Return whether `pid` has exited, even if it is still a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_close_leaves_no_process_behind(processes: Driver) -> None:
    (stray,) = results(processes.run("leave"))
    pids = [*processes.pool.pids(), int(stray or 0)]
    processes.pool.submit(processes.pool.slots[1], [delivery("nap 60")])
    processes.turn()
    processes.pool.close()
    deadline = time.monotonic() + DEADLINE
    while not all(map(gone, pids)):
        assert time.monotonic() < deadline, [pid for pid in pids if not gone(pid)]
        os.sched_yield()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_that_a_killed_task_started_are_killed_with_it(
    processes: Driver, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    processes.pool.submit(processes.pool.slots[0], [delivery(f"leave_and_die {note}")])
    processes.until(lambda: processes.seen.deaths)
    stray = int(note.read_text())
    processes.until(lambda: gone(stray))


@pytest.mark.parametrize("name", ["eventlet", "gevent"])
def test_pools_of_green_threads_say_what_to_use(name: str) -> None:
    spec = RunnerSpec("", "", {}, lambda report, outputs: lambda delivery: Outcome(Kind.SUCCEEDED))

    with pytest.raises(ImproperlyConfigured, match=rf"no pool '{name}'.*: use 'threads'"):
        make_pool(name, 1, spec)


# resizing


@pytest.fixture(params=["threads", "processes", "portable"])
def resizable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = drive(request.param, spec(), monkeypatch)
    yield driver
    driver.close()


def numbers(driver: Driver) -> list[int]:
    return sorted(slot.number for slot in driver.pool.slots)


def test_a_pool_that_grows_has_more_slots_that_work(resizable: Driver) -> None:
    resizable.pool.resize(4)
    resizable.until(lambda: all(slot.up for slot in resizable.pool.slots))

    assert numbers(resizable) == [0, 1, 2, 3]
    assert results(resizable.run("echo a", "echo b", slot=3)) == [b"a", b"b"]


def test_a_pool_that_shrinks_gives_up_idle_slots_first(resizable: Driver, tmp_path: Path) -> None:
    go = tmp_path / "go"
    busy = resizable.pool.slots[1]
    resizable.pool.submit(busy, [delivery(f"await {go}")])
    resizable.pool.resize(1)
    resizable.until(lambda: len(resizable.pool.slots) == 1)

    assert resizable.pool.slots == [busy]
    go.touch()
    resizable.until(lambda: resizable.seen.finished)
    assert results(resizable.run("echo still")) == [b"still"]


def test_a_slot_that_leaves_ends_its_task_and_returns_what_waits_behind_it(
    resizable: Driver, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    for slot in resizable.pool.slots:
        resizable.pool.submit(slot, [delivery(f"await {go}"), delivery("echo next")])
    resizable.until(lambda: all(map(resizable.pool.running, resizable.pool.slots)))
    leaving = resizable.pool.slots[1]
    resizable.pool.resize(1)
    resizable.until(lambda: resizable.seen.returned)

    assert [each.task for each in resizable.seen.returned] == ["echo next"]
    assert not leaving.open
    assert leaving in resizable.pool.slots  # as its task runs
    go.touch()
    resizable.until(lambda: len(resizable.seen.finished) == 3 and len(resizable.pool.slots) == 1)
    assert sorted(filter(None, results([each for _, each, _ in resizable.seen.finished]))) == [
        b"next",
        b"rested",
        b"rested",
    ]
    assert resizable.seen.deaths == []


def test_a_pool_may_grow_while_slots_leave_it(resizable: Driver, tmp_path: Path) -> None:
    go = tmp_path / "go"
    for slot in resizable.pool.slots:
        resizable.pool.submit(slot, [delivery(f"await {go}")])
    resizable.until(lambda: all(map(resizable.pool.running, resizable.pool.slots)))
    resizable.pool.resize(1)
    resizable.pool.resize(3)
    resizable.until(lambda: sum(slot.up for slot in resizable.pool.slots) == 3)

    assert numbers(resizable) == [0, 1, 2, 3]
    go.touch()
    resizable.until(lambda: len(resizable.pool.slots) == 3 and len(resizable.seen.finished) == 2)
    assert results(resizable.run("echo a", slot=2)) == [b"a"]


def test_a_slot_that_leaves_before_it_is_up_is_gone(resizable: Driver) -> None:
    resizable.pool.resize(5)
    resizable.pool.resize(2)
    resizable.until(lambda: len(resizable.pool.slots) == 2)

    assert results(resizable.run("echo a")) == [b"a"]


@pytest.mark.parametrize("size", [0, -1, 100_000])
def test_a_pool_has_at_least_one_slot_and_not_too_many(resizable: Driver, size: int) -> None:
    with pytest.raises(LiteqError, match=f"1 to 1024 slots now, and not {size}"):
        resizable.pool.resize(size)
    assert numbers(resizable) == [0, 1]


def test_the_solo_pool_says_why_it_has_one_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = drive("solo", spec(), monkeypatch)
    try:
        with pytest.raises(LiteqError, match="in the worker's own thread"):
            driver.pool.resize(2)
    finally:
        driver.close()


def test_the_process_of_a_slot_that_leaves_is_gone(processes: Driver) -> None:
    before = set(processes.pool.pids())
    processes.pool.resize(1)
    processes.until(lambda: len(processes.pool.slots) == 1)

    (left,) = processes.pool.pids()
    assert left in before
