"""Faults of the store, 1: somebody keeps it locked, or reads for too long.

docs/internals/storage-faults.md has the table of all storage faults and their tests.
"""

import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.brokers.sqlite import SqliteBroker
from liteq.exceptions import BrokerLocked
from liteq.model.message import Message, new_id
from liteq.support.portable import portable
from tests.e2e.project import INT, KILL, Program, Project, wait_for

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs flock and SIGSTOP")
linux = pytest.mark.skipif(sys.platform != "linux" or portable(), reason="has another way to wait")
STOP = getattr(signal, "SIGSTOP", 0)
CONT = getattr(signal, "SIGCONT", 0)

INSIDE = """
import time
from liteq.brokers import connect
from liteq.brokers.sqlite.session import WriteOptions

def work(db):
    print("inside", flush=True)
    time.sleep(1e6)

broker = connect("sqlite:///project.db")
broker._session().write(WriteOptions("normal"), work)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def broker(project: Project) -> Iterator[SqliteBroker]:
    broker = connect(f"sqlite:///{project.folder}/project.db?durability=fast")
    assert isinstance(broker, SqliteBroker)
    broker.counts()
    yield broker
    broker.close()


@contextmanager
def insider(project: Project) -> Iterator[Program]:
    """A program in the middle of a transaction of liteq."""
    with project.program("-c", INSIDE) as program:
        program.wait_for_line("inside")
        yield program


def send(broker: SqliteBroker) -> None:
    broker.enqueue([Message(new_id(), "project.add", b"[[1, 2], {}]", "json", "celery")])


def entries(folder: str) -> int:
    return len(list(Path(folder).iterdir()))


def stored(broker: SqliteBroker) -> int:
    return sum(count.tasks for count in broker.counts())


def brief(broker: SqliteBroker, patience: float = 0.3) -> SqliteBroker:
    """Callers that give up soon."""
    broker._client_writes = broker._client_writes._replace(timeout=patience)
    return broker


@posix
def test_a_process_that_was_stopped_in_a_transaction_is_named_after_the_deadline(
    project: Project, broker: SqliteBroker
) -> None:
    with insider(project) as program:
        program.send(STOP)
        words = f"stayed locked for 0.3 s: held by pid {program.pid}, "
        for _ in range(3):
            with pytest.raises(BrokerLocked, match=words):
                send(brief(broker))
        program.send(CONT)
        program.send(KILL)

    send(brief(broker, 30.0))
    assert stored(broker) == 1


OWN_TRANSACTION = """
import sqlite3, threading
from liteq.exceptions import BrokerLocked
from project import add, app

app.broker.counts()
own = sqlite3.connect("project.db")
own.execute("create table mine (x)")
own.execute("insert into mine values (1)")  # begins a transaction

def send():
    try:
        add.delay(1, 1)
    except BrokerLocked as exc:
        print(exc)

send()
app.broker._client_writes = app.broker._client_writes._replace(timeout=0.6)
other = threading.Event()
threading.Thread(target=other.wait).start()
send()
other.set()
own.commit()
add.delay(1, 1)
"""


@linux
def test_a_program_that_locks_itself_out_is_told_so_and_at_once_if_it_has_one_thread(
    project: Project,
) -> None:
    out = project.python(OWN_TRANSACTION)

    alone, with_another_thread = out.splitlines()
    assert "project.db is locked: held by this process itself" in alone
    assert "stayed locked for 0.6 s: held by this process itself" in with_another_thread
    assert "commit or roll back" in alone


@posix
def test_a_dead_holder_lets_those_in_who_wait(project: Project, broker: SqliteBroker) -> None:
    with insider(project) as program:
        threading.Timer(0.5, program.send, (KILL,)).start()
        send(broker)

    assert stored(broker) == 1


@posix
def test_whoever_only_looks_does_not_wait_for_those_who_write(
    project: Project, broker: SqliteBroker
) -> None:
    send(broker)
    with insider(project):
        fresh = connect(broker.url)  # to open the store needs no turn either
        assert [count.tasks for count in fresh.counts()] == [1]
        fresh.close()


@posix
def test_one_who_gave_up_waiting_holds_up_nobody(project: Project, broker: SqliteBroker) -> None:
    """The next one is not called by one that is there no more."""
    other = connect(broker.url)
    with insider(project) as program:
        with pytest.raises(BrokerLocked):
            send(brief(broker))
        program.send(KILL)
        assert isinstance(other, SqliteBroker)
        send(other)
    send(broker)
    other.close()

    assert stored(broker) == 2


@linux
def test_ctrl_c_ends_the_wait_and_the_next_one_has_its_turn(project: Project) -> None:
    source = """
import project
try:
    project.add.delay(1, 2)
except KeyboardInterrupt:
    print("interrupted", flush=True)
project.add.delay(1, 2)
print("sent", flush=True)
"""
    with insider(project) as holder, project.program("-c", "print('up')" + source) as sender:
        sender.wait_for_line("up")
        wait_for(lambda: waits(sender.pid), "the wait")
        sender.send(INT)
        sender.wait_for_line("interrupted", deadline=5)
        holder.send(KILL)
        sender.wait_for_line("sent")
        assert sender.wait() == 0


def test_a_worker_waits_for_a_lock_loses_nothing_and_hears_ctrl_c(
    project: Project, broker: SqliteBroker
) -> None:
    with (
        closing(
            sqlite3.connect(project.folder / "project.db", isolation_level=None, timeout=20)
        ) as other,
        project.worker() as worker,
    ):
        send(broker)
        wait_for(lambda: _finished(broker) == 1, "the first result")
        _begin(other)
        worker.wait_for_line("the store fails, trying again: .*stayed locked")
        other.execute(
            "insert into liteq_task (task, payload) values ('project.add', '[[1, 1], {}]')"
        )
        other.execute("commit")
        worker.wait_for_line("the store works again")
        wait_for(lambda: _finished(broker) == 2, "the second result")
        _begin(other)
        worker.send(INT)
        assert worker.wait(15) == 0
        other.execute("rollback")


def _begin(other: sqlite3.Connection) -> None:
    wait_for(lambda: _try(other), "the lock")


def _try(other: sqlite3.Connection) -> bool:
    try:
        other.execute("begin immediate")
    except sqlite3.OperationalError:
        return False
    return True


def _finished(broker: SqliteBroker) -> int:
    return sum(count.tasks for count in broker.counts() if count.phase.final)


@posix
def test_a_worker_that_finds_the_store_locked_waits_for_it(
    project: Project, broker: SqliteBroker
) -> None:
    send(broker)
    argv = ("-m", "liteq", "worker", "-A", "project", "-l", "info")
    with insider(project) as holder, project.program(*argv) as worker:
        worker.wait_for_line(f"the store fails, trying again: .* held by pid {holder.pid}")
        holder.send(KILL)
        worker.wait_for_line("the store works again")
        worker.wait_for_line("succeeded")
    with insider(project) as holder, project.program(*argv) as worker:
        worker.wait_for_line("trying again")
        worker.send(INT)
        assert worker.wait(15) == 69


def test_the_log_shrinks_once_a_long_reader_is_gone(project: Project, broker: SqliteBroker) -> None:
    log = project.folder / "project.db-wal"
    send(broker)
    with closing(sqlite3.connect(project.folder / "project.db", isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from liteq_task").fetchall()
        messages = [Message(new_id(), "add", b"x" * 2000, "json", "celery") for _ in range(500)]
        for n in range(40):
            broker.enqueue([each._replace(id=f"{n}-{each.id}") for each in messages])
        assert log.stat().st_size > 40 * 2**20, "nothing can be folded in beside the reader"
        reader.execute("commit")
    for n in range(40, 80):
        broker.enqueue([each._replace(id=f"{n}-{each.id}") for each in messages])

    assert log.stat().st_size < 40 * 2**20
    assert stored(broker) == 80 * 500 + 1


@linux
def test_to_wait_costs_two_descriptors_once_and_no_thread(
    project: Project, broker: SqliteBroker
) -> None:
    def used() -> tuple[int, int]:
        return entries("/proc/self/fd"), entries("/proc/self/task")

    send(broker)
    with insider(project):
        before, threads = used()
        for _ in range(5):
            with pytest.raises(BrokerLocked):
                send(brief(broker, 0.1))
            assert used() == (before + 2, threads)
    send(brief(broker, 30.0))
    broker.close()
    assert entries("/proc/self/fd") < before


@linux
def test_without_a_folder_for_the_pipe_the_turn_comes_as_well(
    project: Project, broker: SqliteBroker, tmp_path: Path
) -> None:
    folder = tmp_path / "runtime"
    project.env["XDG_RUNTIME_DIR"] = str(folder)
    folder.mkdir()
    folder.joinpath("liteq").touch()  # in the way
    with insider(project) as holder, project.program("-c", SEND) as sender:
        sender.wait_for_line("up")
        holder.send(KILL)
        assert sender.wait() == 0

    assert stored(broker) == 1


SEND = """
import project
print("up")
project.add.delay(1, 2)
"""


def waits(pid: int) -> bool:
    """Whether a process has a line to wait in."""
    links = list(Path(f"/proc/{pid}/fd").iterdir())
    with suppress(OSError):
        return any("eventpoll" in str(link.readlink()) for link in links)
    return False
