"""What only the asyncio pool does: many tasks in a process, each of which ends alone."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liteq.model.message import Delivery
from liteq.model.outcome import Kind
from liteq.pools import loops
from liteq.pools.base import Kill, Limits, RunnerSpec

from .runners import spec
from .test_pools import LOOPS, Driver, delivery, drive, posix, results

Start = Callable[..., Driver]


@pytest.fixture(params=LOOPS)
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    drivers: list[Driver] = []

    def start(how: RunnerSpec | None = None, size: int = 4) -> Driver:
        drivers.append(drive(request.param, how or spec(), monkeypatch, size))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.close()


def give(driver: Driver, slot: int, task: str) -> Delivery:
    """Have a task begun in a slot."""
    made = delivery(task)
    driver.pool.submit(driver.pool.slots[slot], [made])
    driver.until(lambda: (now := driver.pool.running(driver.pool.slots[slot])) and now.delivery)
    return made


def kill(driver: Driver, slot: int, task: Delivery, kind: Kind = Kind.OVERDUE) -> None:
    driver.pool.kill(driver.pool.slots[slot], Kill(task, kind, "slow"))


def outcomes(driver: Driver) -> list[bytes | None]:
    return results([outcome for _, outcome, _ in driver.seen.finished])


def test_tasks_in_all_slots_of_a_process_run_at_the_same_time(start: Start, tmp_path: Path) -> None:
    driver, gates = start(), [tmp_path / str(n) for n in range(4)]
    for slot, gate in enumerate(gates):
        give(driver, slot, f"await {gate}")
    for n, gate in enumerate(reversed(gates), 1):
        gate.touch()
        driver.until(lambda n=n: len(driver.seen.finished) == n)
    assert [slot for *_, slot in driver.seen.finished] == [3, 2, 1, 0]


def test_neighbouring_slots_are_in_different_processes(start: Start) -> None:
    driver = start(spec(processes=2))
    pids = [results(driver.run("pid", slot=n))[0] for n in range(4)]

    assert pids[0] == pids[2] != pids[1] == pids[3]
    assert {int(pid or 0) for pid in pids} == set(driver.pool.pids())


@pytest.mark.parametrize("kind", [Kind.OVERDUE, Kind.TERMINATED])
def test_a_coroutine_is_ended_alone(start: Start, tmp_path: Path, kind: Kind) -> None:
    driver, note, gate = start(), tmp_path / "note", tmp_path / "gate"
    (before,) = results(driver.run("pid"))
    other, ended = give(driver, 1, f"await {gate}"), give(driver, 0, f"linger {note}")
    kill(driver, 0, ended, kind)
    assert driver.pool.slots[0].ending
    driver.until(lambda: driver.seen.deaths)
    (death,) = driver.seen.deaths

    assert (death.running, death.kind, death.reason, death.waiting) == (ended, kind, "slow", [])
    assert note.exists()
    assert driver.pool.slots[0].open
    assert not driver.pool.slots[0].ending
    assert driver.pool.running(driver.pool.slots[1]) is not None
    gate.touch()
    driver.until(lambda: len(driver.seen.finished) == 2)
    assert driver.seen.finished[-1][0] == other
    assert results(driver.run("pid")) == [before]


def test_what_waits_behind_a_coroutine_that_is_ended_runs_next(
    start: Start, tmp_path: Path
) -> None:
    driver = start()
    ended, behind = delivery(f"linger {tmp_path / 'note'}"), delivery("echo next")
    slot = driver.pool.slots[0]
    driver.pool.submit(slot, [ended, behind])
    driver.until(lambda: driver.pool.running(slot))
    kill(driver, 0, ended)
    driver.until(lambda: driver.seen.finished)

    assert outcomes(driver) == [b"next"]
    assert [death.running for death in driver.seen.deaths] == [ended]


def test_a_task_that_ended_before_it_was_told_to_has_its_own_outcome(start: Start) -> None:
    driver = start()
    slot, task = driver.pool.slots[0], delivery("echo done")
    driver.pool.submit(slot, [task])
    driver.pool.flush()
    while driver.pool.running(slot) is None:
        time.sleep(0.001)
    time.sleep(0.05)  # the outcome is on its way
    kill(driver, 0, task)
    driver.until(lambda: driver.seen.finished)

    assert outcomes(driver) == [b"done"]
    assert not slot.ending
    assert driver.seen.deaths == []


def test_a_coroutine_that_catches_its_cancellation_is_left_behind(
    start: Start, tmp_path: Path
) -> None:
    driver, note = start(), tmp_path / "note"
    (before,) = results(driver.run("pid"))
    kill(driver, 0, task := give(driver, 0, f"refuse {note}"))
    driver.until(lambda: driver.seen.deaths)

    assert [death.running for death in driver.seen.deaths] == [task]
    assert note.exists()
    assert results(driver.run("pid")) == [before]


def test_a_process_whose_loop_is_blocked_is_killed_and_only_the_ended_task_pays(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "_GRACE", 0.1)
    driver, gate = start(), tmp_path / "gate"
    (before,) = results(driver.run("pid"))
    beside, blocks = give(driver, 1, f"await {gate}"), give(driver, 0, "block 60")
    kill(driver, 0, blocks)
    driver.until(lambda: len(driver.seen.deaths) == 2)
    deaths = {death.running: death for death in driver.seen.deaths}

    assert deaths[blocks].kind is Kind.OVERDUE
    assert deaths[beside].kind is Kind.REQUEUED
    assert "to end another task" in deaths[beside].reason
    driver.until(lambda: driver.pool.slots[0].up)
    assert results(driver.run("pid")) != [before]


def test_a_task_that_blocks_the_loop_pays_when_another_one_could_not_be_ended_for_it(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "_GRACE", 2.0)
    driver, gate = start(), tmp_path / "gate"
    beside, revoked = give(driver, 1, f"await {gate}"), give(driver, 2, f"await {gate}")
    blocks = give(driver, 0, "block 60")
    kill(driver, 2, revoked, Kind.TERMINATED)
    driver.until(lambda: len(driver.seen.deaths) == 3)
    kinds = {death.running: (death.kind, death.shared) for death in driver.seen.deaths}

    assert kinds == {
        blocks: (Kind.LOST, False),
        revoked: (Kind.TERMINATED, False),
        beside: (Kind.REQUEUED, False),
    }


def test_all_that_was_begun_in_a_process_is_charged_with_its_death_and_nothing_else(
    start: Start, tmp_path: Path
) -> None:
    driver = start(spec(processes=2), size=8)
    gate = tmp_path / "gate"
    elsewhere = give(driver, 1, f"await {gate}")
    begun = {give(driver, slot, f"await {gate}") for slot in (0, 2)}
    waiting = delivery("echo waits")
    driver.pool.submit(driver.pool.slots[2], [waiting])
    begun.add(poison := delivery("die"))
    driver.pool.submit(driver.pool.slots[4], [poison])
    driver.until(lambda: len(driver.seen.deaths) == 3)

    assert {death.running for death in driver.seen.deaths} == begun
    assert {death.kind for death in driver.seen.deaths} == {Kind.LOST}
    assert all(death.shared for death in driver.seen.deaths)
    assert [each for death in driver.seen.deaths for each in death.waiting] == [waiting]
    gate.touch()
    driver.until(lambda: driver.seen.finished)
    assert driver.seen.finished[0][0] == elsewhere


def test_a_task_that_was_alone_in_its_process_shares_its_death_with_nobody(start: Start) -> None:
    driver = start()
    driver.run("echo before", slot=1)
    driver.pool.submit(driver.pool.slots[0], [delivery("die")])
    driver.until(lambda: driver.seen.deaths)

    assert [death.shared for death in driver.seen.deaths] == [False]


def test_slots_change_over_to_a_new_process_while_a_long_task_stays_in_the_old_one(
    start: Start, tmp_path: Path
) -> None:
    driver, gate = start(), tmp_path / "gate"
    (before,) = results(driver.run("pid"))
    long = give(driver, 0, f"await {gate}")
    behind = delivery("echo behind")
    driver.pool.submit(driver.pool.slots[0], [behind])
    driver.pool.refresh()
    assert not any(slot.open for slot in driver.pool.slots)
    driver.until(lambda: driver.pool.slots[1].open)
    (after,) = results(driver.run("pid", slot=1))

    assert after != before
    assert not driver.pool.slots[0].open
    assert driver.seen.returned == [behind]
    assert {before, after} == {str(pid).encode() for pid in driver.pool.pids()}
    gate.touch()
    driver.until(lambda: driver.pool.slots[0].open)
    assert driver.seen.finished[-1][0] == long
    assert results(driver.run("pid")) == [after]
    driver.until(lambda: len(driver.pool.pids()) == 1)
    assert driver.seen.deaths == []


def test_a_process_that_was_replaced_is_charged_like_any_other(
    start: Start, tmp_path: Path
) -> None:
    driver = start()
    (before,) = results(driver.run("pid"))
    long = give(driver, 0, f"await {tmp_path / 'gate'}")
    driver.pool.refresh()
    driver.until(lambda: driver.pool.slots[1].open)
    os.kill(int(before or 0), signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    driver.until(lambda: driver.seen.deaths)

    assert [death.running for death in driver.seen.deaths] == [long]
    driver.until(lambda: driver.pool.slots[0].open)
    assert results(driver.run("pid")) != [before]


def test_a_process_is_replaced_after_its_limit_of_tasks_and_no_task_is_lost(
    start: Start, tmp_path: Path
) -> None:
    driver, gate = start(spec(limits=Limits(tasks=3))), tmp_path / "gate"
    give(driver, 3, f"await {gate}")  # for all that time it is in the first of them
    first = results(driver.run("pid", "pid", "pid"))
    driver.until(lambda: driver.pool.slots[0].open)
    second = results(driver.run("pid", "pid", "pid", "pid"))
    assert len(set(first)) == len(set(second)) == 1
    assert first[0] != second[0]

    assert len(driver.pool.pids()) == 2  # at most two: it is beyond its limit, and goes on
    gate.touch()
    driver.until(lambda: driver.pool.slots[0].open and len(driver.pool.pids()) == 1)
    assert results(driver.run("pid"))[0] not in {first[0], second[0]}
    assert driver.seen.deaths == []


def test_a_task_in_a_thread_runs_beside_coroutines_and_is_ended_by_an_exception(
    start: Start, tmp_path: Path
) -> None:
    driver, gate = start(), tmp_path / "gate"
    (before,) = results(driver.run("thread pid"))
    task = give(driver, 0, f"thread await {gate}")
    assert results(driver.run("echo beside", slot=1)) == [b"beside"]
    kill(driver, 0, task)
    driver.until(lambda: driver.seen.deaths)

    assert [death.running for death in driver.seen.deaths] == [task]
    assert results(driver.run("pid")) == [before]


def test_an_exit_in_a_coroutine_that_a_task_has_started_ends_nothing_else(start: Start) -> None:
    driver = start()

    assert results(driver.run("stray")) == [b"SystemExit(3)"]
    assert results(driver.run("echo next")) == [b"next"]


@posix
def test_a_large_result_is_sent_while_the_supervisor_reads_nothing_and_the_loop_goes_on(
    start: Start, tmp_path: Path
) -> None:
    driver, note = start(), tmp_path / "note"
    driver.pool.submit(driver.pool.slots[0], [delivery("large 5000000")])
    driver.pool.submit(driver.pool.slots[1], [delivery(f"await {tmp_path / 'gate'}")])
    driver.pool.submit(driver.pool.slots[2], [delivery(f"after {note}")])
    driver.pool.flush()
    deadline = time.monotonic() + 20
    while not note.exists():  # nothing is received meanwhile
        assert time.monotonic() < deadline
        time.sleep(0.01)
    driver.until(lambda: len(driver.seen.finished) == 2)
    assert {len(result or b"") for result in outcomes(driver)} == {5_000_000, len(b"noted")}


def test_terminate_cancels_what_runs_and_it_goes_back(start: Start, tmp_path: Path) -> None:
    driver, note = start(), tmp_path / "note"
    task = give(driver, 0, f"linger {note}")
    driver.pool.terminate()
    driver.until(lambda: driver.seen.deaths)

    assert [(death.running, death.kind) for death in driver.seen.deaths] == [(task, Kind.REQUEUED)]
    assert note.exists()


def test_thousand_slots_share_two_processes(start: Start) -> None:
    driver = start(spec(processes=2), size=1000)
    for slot in driver.pool.slots:
        driver.pool.submit(slot, [delivery("nap 1")])
    began = time.monotonic()
    driver.until(lambda: len(driver.seen.finished) == 1000)

    assert time.monotonic() - began < 10
    assert len(driver.pool.pids()) == 2


def test_threads_of_a_pool_that_is_closed_are_gone(start: Start) -> None:
    before = threading.active_count()
    driver = start()
    driver.run("echo x")
    driver.pool.close()
    assert threading.active_count() == before
