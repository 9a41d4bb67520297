"""The locks by which workers on SQLite show that they live."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.owners import this_process
from liteq.brokers.sqlite import SqliteBroker, rescue
from liteq.brokers.sqlite.liveness import has_released, make_liveness_locks
from liteq.model.message import Message
from liteq.support.portable import portable
from liteq.testing.contract.harness import rescuing
from tests.e2e.project import wait_for

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or portable(), reason="locks that belong to an opening of a file"
)

WORKER = """
import os, sys
from liteq.brokers import connect
from liteq.brokers.owners import this_process

broker = connect(sys.argv[1])
print(broker.register("worker", "{}"), this_process(), sep=":", flush=True)
exec(sys.argv[2])
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def worker(store: str, code: str = "") -> Iterator[tuple[int, str]]:
    """Run a process with a worker for the block, then kill it; yield its number and its owner."""
    command = [sys.executable, "-c", WORKER, store, code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        number, _, owner = process.stdout.readline().strip().partition(":")
        assert process.stdout.readline() == "ready\n"
        yield int(number), owner
        process.kill()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


def test_a_lock_is_held_until_its_process_is_killed(store: str, path: str) -> None:
    with worker(store) as (number, owner):
        assert has_released(path, number, owner) is False
    assert has_released(path, number, owner) is True


def test_a_worker_that_leaves_the_store_releases_its_lock(store: str, path: str) -> None:
    with worker(store, "broker.unregister(1)") as (number, owner):
        assert has_released(path, number, owner) is True


def test_a_lock_is_held_though_its_process_closes_other_openings_of_the_file(
    store: str, path: str
) -> None:
    code = f"open('{path}-gate').close(); broker.close(); broker.counts(); broker.close()"
    with worker(store, code) as (number, owner):
        assert has_released(path, number, owner) is False


def test_a_lock_does_not_outlive_its_process_in_a_forked_child(store: str, path: str) -> None:
    code = """
import time
if os.fork() == 0:
    os.close(0), os.close(1)
    time.sleep(30)
    os._exit(0)
"""
    with worker(store, code) as (number, owner):
        assert has_released(path, number, owner) is False
    # The child closes its copy once it gets a processor, which may be after the end of its parent.
    wait_for(lambda: has_released(path, number, owner) is True, "the release")


def test_nothing_is_known_of_another_worker_in_the_slot(store: str, path: str) -> None:
    with worker(store) as (number, owner):
        assert has_released(path, number + 1024, owner) is None
        assert has_released(path, number, str(this_process())) is None


def test_a_slot_that_a_living_worker_has_is_not_taken(store: str, path: str) -> None:
    with worker(store) as (number, owner):
        locks = make_liveness_locks(path)
        locks.open()
        locks.hold(number + 1024, "another")
        assert has_released(path, number + 1024, "another") is None
        assert has_released(path, number, owner) is False
    locks.hold(number + 1024, "another")
    assert has_released(path, number + 1024, "another") is False
    locks.release(number + 1024)


def test_nothing_is_known_without_the_lock_file(store: str, path: str) -> None:
    with worker(store) as (number, owner):
        Path(f"{path}-gate").unlink()
        assert has_released(path, number, owner) is None
        Path(f"{path}-gate").touch()
        assert has_released(path, number, owner) is None


def open_files() -> list[str]:
    return sorted(link.name for link in Path("/proc/self/fd").iterdir())


def test_a_broker_keeps_nothing_open_for_workers_that_have_left(store: str) -> None:
    broker = connect(store)
    broker.counts()
    before = open_files()
    numbers = [broker.register("worker", "{}") for _ in range(3)]
    for number in numbers:
        broker.unregister(number)

    assert open_files() == before
    broker.close()


@pytest.mark.parametrize("lease", [0.0, 1e9])
def test_the_lock_decides_where_the_process_cannot_be_seen_and_not_the_lease(
    store: str, path: str, monkeypatch: pytest.MonkeyPatch, lease: float
) -> None:
    """As if this process were in another pid namespace than the worker."""
    monkeypatch.setattr(rescue, "_LEASE", lease)
    broker = connect(store)
    assert isinstance(broker, SqliteBroker)
    broker.enqueue([Message("a", "add", b"", "json", "celery")])
    with worker(store, "listener = broker.work_listener(1)") as (number, _):
        broker.claim(Claim(number, ("celery",), 1))
        monkeypatch.setattr("liteq.brokers.owners._space", lambda: "another")
        for _ in range(3):
            assert len(listeners(path)) == 1
            assert broker.rescue(rescuing(broker.clock)) == []
        assert [each.id for each in broker.workers()] == [number]

    assert broker.workers() == []
    assert [each.message.id for each in broker.rescue(rescuing(broker.clock))] == ["a"]
    assert listeners(path) == []
    broker.close()


def listeners(path: str) -> list[tuple[str]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("select address from liteq_listener").fetchall()
