"""Listeners of killed processes: their rows in the store, and the files of their sockets."""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from liteq.brokers import connect
from liteq.brokers.sqlite import SqliteBroker
from liteq.brokers.sqlite.sockets import Notifier, SocketListener
from liteq.support.portable import portable
from tests.e2e.project import wait_for

pytestmark = pytest.mark.skipif(
    os.name != "posix" or portable(), reason="kills, and sockets that are files"
)

WAITERS = 40

WAITING = f"""
import os, sys, threading
from liteq.brokers import connect

broker = connect(sys.argv[1])
ready = threading.Barrier({WAITERS} + 1)

def wait():
    listener = broker.result_listener()
    ready.wait()
    listener.wait(60.0)

for _ in range({WAITERS}):
    threading.Thread(target=wait, daemon=True).start()
ready.wait()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the sockets, for this test alone; pytest's has too long a path for a socket."""
    with TemporaryDirectory(prefix="liteq-") as folder:
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder) / f"liteq-{os.getuid()}"


def open_store(path: Path) -> SqliteBroker:
    broker = connect(f"sqlite:///{path}?durability=fast")
    assert isinstance(broker, SqliteBroker)
    return broker


def sockets(folder: Path) -> int:
    return sum(each.is_socket() for each in folder.iterdir())


def rows(broker: SqliteBroker) -> int:
    ((n,),) = broker._session().read("select count(*) from liteq_listener")
    return int(n)


def leave_listeners(broker: SqliteBroker) -> None:
    """Kill a program in which many threads wait for results."""
    program = subprocess.Popen(
        [sys.executable, "-c", WAITING, broker.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        program.kill()


def test_a_worker_drops_the_listeners_of_a_killed_program(runtime: Path, tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "store.db")) as broker:
        mine = broker.work_listener(broker.register("w", "{}"))
        leave_listeners(broker)
        assert (rows(broker), sockets(runtime)) == (WAITERS + 1, WAITERS + 1)

        broker.upkeep()
        assert (rows(broker), sockets(runtime)) == (1, 1)
        mine.close()


def test_files_of_sockets_are_removed_although_their_store_is_gone(
    runtime: Path, tmp_path: Path
) -> None:
    with closing(open_store(tmp_path / "gone.db")) as gone:
        leave_listeners(gone)
    for each in tmp_path.glob("gone.db*"):
        each.unlink()
    (runtime / "notes").write_text("not a socket")

    with closing(open_store(tmp_path / "store.db")) as broker:
        broker.upkeep()
    assert [each.name for each in runtime.iterdir() if not each.is_fifo()] == ["notes"]


def test_a_listener_that_is_open_stays_whoever_tidies(runtime: Path, tmp_path: Path) -> None:
    listener = SocketListener(lambda: False, lambda address: None)
    with closing(open_store(tmp_path / "store.db")) as broker:
        broker.upkeep()
        broker._session()._notifier.notify([listener.address])
        wait_for(lambda: listener.wait(1.0), "the notification")
    listener.close()
    assert sockets(runtime) == 0


def test_a_notifier_that_was_closed_opens_nothing(runtime: Path) -> None:
    listener = SocketListener(lambda: False, lambda address: None)
    notifier = Notifier()
    notifier.close()  # as a broker closes it while another thread still ends its transaction
    notifier.notify([listener.address])
    assert not listener.wait(0.0)
    listener.close()


def test_a_notifier_that_nobody_closes_is_closed_in_silence(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", errors.append)
    listener = SocketListener(lambda: False, lambda address: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notifier = Notifier()
        notifier.notify([listener.address])
        assert listener.wait(5.0)
        del notifier  # as when the parts of a broker in a cycle are finalized in any order
    listener.close()
    assert errors == []
