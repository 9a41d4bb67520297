"""Faults of the store, 4: its write-ahead log, or the index of that, is deleted under a program.

SQLite goes on with files that have no name any more. Whoever opens the store then makes new ones,
and both would write to the file what the other one does not know of.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Broker
from liteq.exceptions import BrokerGone
from tests.e2e.project import Project, wait_for
from tests.faults.test_storage_files import at, ids, send

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted")

OTHER = """
import sys
from liteq.brokers import connect
from liteq.model.message import Message

broker = connect(sys.argv[1])
payload = b"[[1, 2], {}]" + b" " * 900
broker.enqueue([Message(id, "project.add", payload, "json", "celery") for id in sys.argv[2:]])
broker.close()
"""

TAILS = [("-wal", "-shm"), ("-shm",), ("-wal",)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project.db"


@pytest.fixture
def broker(path: Path) -> Iterator[Broker]:
    broker = at(path)
    yield broker
    broker.close()


def delete(path: Path, tails: tuple[str, ...] = ("-wal", "-shm")) -> None:
    for tail in tails:
        path.with_name(path.name + tail).unlink()


def send_from_another_program(broker: Broker, *ids: str) -> None:
    subprocess.run([sys.executable, "-c", OTHER, broker.url, *ids], check=True)


def sends_until_refused(broker: Broker) -> bool:
    """Send once; return whether that was refused."""
    try:
        send(broker)
    except BrokerGone:
        return True
    return False


@pytest.mark.parametrize("tails", TAILS, ids="".join)
def test_a_program_whose_log_was_deleted_soon_writes_no_more(
    broker: Broker, path: Path, tails: tuple[str, ...]
) -> None:
    send(broker, "old")
    delete(path, tails)

    wait_for(lambda: sends_until_refused(broker), "the refusal")
    for _ in range(3):
        with pytest.raises(BrokerGone, match="stop all programs that use the store"):
            send(broker)
        with pytest.raises(BrokerGone):
            broker.fetch(["old"])


def test_whoever_opens_the_store_anew_loses_nothing_to_programs_with_a_deleted_log(
    broker: Broker, path: Path
) -> None:
    broker.upkeep(idle=True)  # a checkpoint
    for n in range(40):
        send(broker, f"old{n}")
    delete(path)
    fresh = {f"new{n}" for n in range(60)}
    send_from_another_program(broker, *fresh)
    wait_for(lambda: sends_until_refused(broker), "the refusal")
    broker.close()

    assert ids(path) == fresh


def test_a_checkpoint_never_writes_a_deleted_log_into_the_file(broker: Broker, path: Path) -> None:
    broker.upkeep(idle=True)
    send(broker, "old")
    delete(path)
    send_from_another_program(broker, "new")
    with pytest.raises(BrokerGone):
        broker.upkeep(idle=True)

    assert ids(path) == {"new"}


def test_where_nobody_opened_the_store_anew_the_deleted_log_is_saved_at_the_end(
    broker: Broker, path: Path
) -> None:
    send(broker, "old")
    delete(path)
    broker.close()

    assert ids(path) == {"old"}
    send(at(path), "new")
    assert ids(path) == {"old", "new"}


def test_a_worker_stops_when_its_log_is_deleted_and_the_next_one_works(
    tmp_path: Path, path: Path
) -> None:
    project = Project(tmp_path)
    with project.worker() as worker:
        delete(path)
        assert worker.wait() == 74
        assert "was deleted or replaced while it was in use" in worker.output
    with project.worker():
        assert "5" in project.python("from project import add; print(add.delay(2, 3).get(20))")


def test_a_log_that_goes_with_the_last_program_is_not_missed(path: Path) -> None:
    """The next connection of a thread may find others: its own were closed meanwhile."""
    first = at(path)
    send(first, "a")
    first.close()
    assert not path.with_name("project.db-wal").exists()
    send(first, "b")
    second = connect(f"sqlite:///{path}")
    send(second, "c")
    first.close()
    send(second, "d")
    second.close()

    assert ids(path) == {"a", "b", "c", "d"}
