"""How what tasks print comes from all pools to the supervisor."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from liteq.model.message import Receipt
from liteq.model.outcome import Kind
from liteq.model.output import Output, decode_lines
from liteq.pools.base import Kill
from liteq.pools.threads import ThreadPool

from .runners import spec
from .test_pools import KINDS, Driver, delivery, drive


@pytest.fixture(params=KINDS)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = drive(request.param, spec(), monkeypatch)
    yield driver
    driver.close()


@pytest.fixture(params=["threads", "processes", "portable"])
def parallel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    """A driver of a pool whose supervisor goes on while tasks run."""
    driver = drive(request.param, spec(), monkeypatch)
    yield driver
    driver.close()


@pytest.fixture(params=["processes", "portable"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = drive(request.param, spec(), monkeypatch)
    yield driver
    driver.close()


def texts(output: Output) -> list[str]:
    return [line.text for line in decode_lines([output])]


def test_what_a_task_has_printed_comes_with_its_end(driver: Driver) -> None:
    driver.run("print hello")
    (update,) = driver.seen.outputs

    assert (update.delivery, update.output.attempt) == (driver.seen.finished[0][0], 1)
    assert texts(update.output) == ["hello"]
    assert (update.output.keep_from, update.output.begins) == (1, True)


def test_each_of_many_tasks_has_its_own(driver: Driver) -> None:
    sent = [delivery(f"print {n}")._replace(key=n, token=n, attempts=n % 3) for n in range(1, 200)]
    driver.pool.submit(driver.pool.slots[0], sent)
    driver.until(lambda: len(driver.seen.finished) == len(sent))

    assert [
        (update.delivery.receipt, update.output.attempt, texts(update.output))
        for update in driver.seen.outputs
    ] == [(Receipt(n, n), n % 3 + 1, [str(n)]) for n in range(1, 200)]


def test_that_of_a_task_that_runs_for_long_comes_meanwhile(
    parallel: Driver, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    parallel.pool.submit(parallel.pool.slots[0], [delivery(f"print begin {file}")])
    parallel.until(lambda: parallel.seen.outputs)
    assert texts(parallel.seen.outputs[0].output) == ["begin"]
    assert not parallel.seen.finished

    file.touch()
    parallel.until(lambda: parallel.seen.finished)

    first, second = (update.output for update in parallel.seen.outputs)
    assert (first.last, first.begins) == (1, True)
    assert (texts(second), second.last, second.begins) == (["at last"], 2, False)


def test_what_has_come_stays_when_its_task_is_killed(processes: Driver, tmp_path: Path) -> None:
    slot, task = processes.pool.slots[0], delivery(f"print begin {tmp_path / 'never'}")
    processes.pool.submit(slot, [task])
    processes.until(lambda: processes.seen.outputs)

    processes.pool.kill(slot, Kill(task, Kind.OVERDUE, "it takes too long"))
    processes.until(lambda: processes.seen.deaths)

    assert [texts(update.output) for update in processes.seen.outputs] == [["begin"]]
    processes.until(lambda: slot.up)
    processes.run("print again")
    assert texts(processes.seen.outputs[-1].output) == ["again"]


def test_a_pool_of_threads_that_is_closed_has_what_its_tasks_have_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver = drive("threads", spec(), monkeypatch)
    file = tmp_path / "file"
    driver.pool.submit(driver.pool.slots[0], [delivery(f"print begin {file}")])
    assert isinstance(driver.pool, ThreadPool)
    outputs = driver.pool._outputs
    while not outputs.open:
        driver.turn()
    driver.close()
    events = driver.pool.collect()
    file.touch()

    assert len(events.deaths) == 1
    assert [texts(update.output) for update in events.outputs] == [["begin"]]
