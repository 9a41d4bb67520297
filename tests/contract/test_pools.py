"""What every pool must do, and what only the one with processes can."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from selectors import DefaultSelector

import pytest

from liteq.message import Delivery, Message, Receipt, new_id
from liteq.outcome import Outcome
from liteq.pools import Happenings, Pool, PoolBroken, make_pool
from liteq.pools.base import Limits, Recipe

from .recipes import recipe

DEADLINE = 20.0


def delivery(task: str) -> Delivery:
    return Delivery(Message(new_id(), task, b"", "json", "celery"), Receipt(1, 1))


class Driver:
    """Turns the selector for a pool, as a supervisor does."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.selector = DefaultSelector()
        self.seen = Happenings()
        pool.start(self.selector)
        self.until(lambda: all(slot.up for slot in pool.slots))

    def turn(self) -> None:
        pause = self.pool.tend()
        for key, _ in self.selector.select(0.05 if pause is None else min(pause, 0.05)):
            key.data()
        news = self.pool.collect()
        self.seen.finished += news.finished
        self.seen.returned += news.returned
        self.seen.told += news.told
        self.seen.deaths += news.deaths

    def until(self, done: object) -> None:
        deadline = time.monotonic() + DEADLINE
        while not done():  # type: ignore[operator]
            assert time.monotonic() < deadline, f"nothing came: {self.seen}"
            self.turn()

    def run(self, *tasks: str, slot: int = 0) -> list[Outcome]:
        """The outcomes of `tasks`, given to one slot together."""
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


def drive(kind: str, how: Recipe, monkeypatch: pytest.MonkeyPatch, size: int = 2) -> Driver:
    if kind == "portable":
        monkeypatch.setenv("LITEQ_PORTABLE", "1")
    return Driver(make_pool("processes" if kind == "portable" else kind, size, how))


@pytest.fixture(params=KINDS)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = drive(request.param, recipe(), monkeypatch)
    yield driver
    driver.close()


@pytest.fixture(params=["processes", "portable"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = drive(request.param, recipe(), monkeypatch)
    yield driver
    driver.close()


def test_every_delivery_is_answered_once_and_in_order(driver: Driver) -> None:
    tasks = [f"echo {n}" for n in range(300)]

    assert results(driver.run(*tasks)) == [f"{n}".encode() for n in range(300)]
    assert not driver.pool.slots[0].holding


def test_a_large_result_comes_back_whole(driver: Driver) -> None:
    assert results(driver.run("large 5000000")) == [b"x" * 5_000_000]


def test_what_a_running_task_tells_arrives(driver: Driver) -> None:
    driver.run("tell half")
    driver.until(lambda: driver.seen.told)

    assert [(told.state, told.meta) for told in driver.seen.told] == [("PROGRESS", b"half")]


def test_a_short_task_is_told_before_the_long_one_behind_it_has_ended(processes: Driver) -> None:
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


def test_nothing_is_lost_between_what_ends_and_what_is_recalled_just_then(
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


def test_only_the_task_that_a_child_was_in_is_charged_with_its_death(processes: Driver) -> None:
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
def test_a_task_that_forks_is_answered_once(processes: Driver) -> None:
    assert results(processes.run("fork")) == [b"parent"]
    assert results(processes.run("echo after")) == [b"after"]


@pytest.mark.parametrize("kind", ["processes", "portable"])
def test_a_child_is_replaced_after_its_number_of_tasks(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = drive(kind, recipe(limits=Limits(tasks=2)), monkeypatch, size=1)
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


@pytest.mark.skipif(sys.platform == "win32", reason="its memory is not told there")
@pytest.mark.parametrize("kind", ["processes", "portable"])
def test_a_child_that_has_grown_too_large_is_replaced_between_two_tasks(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = drive(kind, recipe(limits=Limits(memory=1)), monkeypatch, size=1)
    (first,) = results(driver.run("pid"))
    driver.until(lambda: not driver.pool.slots[0].up)
    driver.until(lambda: driver.pool.slots[0].up)
    (second,) = results(driver.run("pid"))

    assert first != second
    driver.close()


@pytest.mark.parametrize("kind", ["processes", "portable"])
def test_an_application_that_cannot_be_imported_is_told_with_its_reason(
    kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if kind == "portable":
        monkeypatch.setenv("LITEQ_PORTABLE", "1")
    pool = make_pool("processes", 1, recipe(make="fail"))
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
    """Whether `pid` has ended, if only as a zombie that nobody has collected yet."""
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
def test_what_a_killed_task_has_started_is_ended_with_it(processes: Driver, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    processes.pool.submit(processes.pool.slots[0], [delivery(f"leave_and_die {note}")])
    processes.until(lambda: processes.seen.deaths)
    stray = int(note.read_text())
    processes.until(lambda: gone(stray))
