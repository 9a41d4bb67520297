"""Tests of all pools, and of what only the process pool can do."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from selectors import DefaultSelector

import pytest

from liteq.model.message import Delivery, Message, Receipt, new_id
from liteq.model.outcome import Outcome
from liteq.pools import Pool, PoolBroken, PoolEvents, make_pool
from liteq.pools.base import Limits, RunnerSpec

from .runners import spec

DEADLINE = 20.0


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
        self.seen.finished += news.finished
        self.seen.returned += news.returned
        self.seen.updates += news.updates
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
        return [outcome for _, outcome in self.seen.finished[before:]]

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


def test_an_outcome_does_not_wait_for_the_long_task_behind_it(processes: Driver) -> None:
    slot = processes.pool.slots[0]
    processes.pool.submit(slot, [delivery("echo short"), delivery("nap 60")])
    processes.until(lambda: processes.seen.finished)

    assert results([outcome for _, outcome in processes.seen.finished]) == [b"short"]


@pytest.mark.alone  # it has to be quicker than a task of two seconds
@pytest.mark.parametrize("deed", ["nap", "spin"])
def test_what_waits_behind_a_long_task_can_be_recalled(processes: Driver, deed: str) -> None:
    slot = processes.pool.slots[0]
    waiting = [delivery("echo a"), delivery("echo b")]
    processes.pool.submit(slot, [delivery(f"{deed} 2"), *waiting])
    processes.until(lambda: processes.pool.running(slot))
    processes.pool.recall(slot)
    began = time.monotonic()
    processes.until(lambda: processes.seen.returned)

    assert processes.seen.returned == waiting
    assert not processes.seen.finished
    assert time.monotonic() - began < 1.5
    assert len(slot.holding) == 1


def test_a_recall_while_tasks_end_loses_nothing(
    processes: Driver,
) -> None:
    processes.run("hurry")
    slot = processes.pool.slots[0]
    sent = 1
    for _ in range(1500):
        batch = [delivery("echo x") for _ in range(30)]
        sent += len(batch)
        processes.pool.submit(slot, batch)
        processes.turn()
        processes.pool.recall(slot)
        processes.until(lambda: not slot.recalled)
    processes.until(lambda: not slot.holding)

    assert len(processes.seen.finished) + len(processes.seen.returned) == sent


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_task_that_forks_has_one_outcome(processes: Driver) -> None:
    assert results(processes.run("fork")) == [b"parent"]
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
    first, second, third = results([outcome for _, outcome in driver.seen.finished])

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
