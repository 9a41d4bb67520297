"""Programs that fork after they have used the store: preloading, multiprocessing, a task."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.model.message import Message, new_id
from tests.e2e.project import KILL, Project, alive, wait_for

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

START = """
import multiprocessing, os, signal, sys, threading, time
from liteq.brokers import connect
from liteq.brokers.sqlite import forks
from liteq.brokers.sqlite.session import WriteOptions
from liteq.model.message import Message, new_id

broker = connect("sqlite:///store.db?durability=fast")

def send(id=None):
    broker.enqueue([Message(id or new_id(), "add", b"", "json", "celery")])

"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, START)


def ids(folder: Path) -> set[str]:
    """Return the ids in the store, after a check of its integrity."""
    with closing(sqlite3.connect(folder / "store.db")) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
        return {row[0] for row in database.execute("select id from liteq_task")}


@pytest.mark.parametrize("last", ["parent", "child"])
@pytest.mark.parametrize("way", ["fork", "multiprocessing"])
def test_parent_and_child_can_both_send_whichever_exits_first(
    project: Project, tmp_path: Path, way: str, last: str
) -> None:
    project.python(
        START
        + f"""
send("before")
broker.result_listener()
ours, theirs = os.pipe()

def child():
    send("child")
    if {last!r} == "child":
        os.close(theirs)
        os.read(ours, 1)  # until the parent has exited
    send("child, later")
    import gc; gc.collect()

if {way!r} == "fork":
    pid = os.fork()
    if not pid:
        child()
        sys.exit()  # what it has inherited is closed
    wait = lambda: os.waitpid(pid, 0)
else:
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    wait = process.join
send("parent")
if {last!r} == "parent":
    wait()
    send("parent, later")
else:
    multiprocessing.active_children().clear()
    broker.close()
    os._exit(0)
"""
    )
    expected = {"before", "parent", "child", "child, later"}
    if last == "parent":
        expected.add("parent, later")

    assert _eventually(tmp_path, expected) == expected


def _eventually(folder: Path, expected: set[str]) -> set[str]:
    """Return the ids once all are stored: a child may outlive the program that was waited for."""
    wait_for(lambda: ids(folder) >= expected, f"{expected}")
    return ids(folder)


def test_a_fork_during_a_long_transaction_does_not_harm_the_parent(
    project: Project, tmp_path: Path
) -> None:
    said = project.python(
        START
        + """
forks.MAX_WAIT = 0.2  # the transaction goes on for longer than a fork waits
inside, go_on = threading.Event(), threading.Event()

def work(db):
    row = "insert into liteq_task (id, task, payload) values (?, 'add', zeroblob(3000))"
    db.executemany(row, [(f"{n}",) for n in range(500)])
    inside.set()
    go_on.wait()

send("before")
writer = threading.Thread(target=lambda: broker._session().write(WriteOptions("normal"), work))
writer.start()
inside.wait()
pid = os.fork()
if not pid:
    try:
        send("child")
    except Exception as exc:
        print(type(exc).__name__, exc)
    del broker
    import gc; gc.collect()
    sys.exit()
os.waitpid(pid, 0)
go_on.set()
writer.join()
send("after")
os._exit(0)
"""
    )

    assert "BrokerUnavailable" in said
    assert "forked while another thread was in a long transaction" in said
    assert ids(tmp_path) == {"before", "after", *map(str, range(500))}


def test_a_fork_while_other_threads_write_never_hangs(project: Project, tmp_path: Path) -> None:
    project.python(
        START
        + """
def hammer():
    while not over.is_set():
        send()

over = threading.Event()
threads = [threading.Thread(target=hammer) for _ in range(3)]
for thread in threads:
    thread.start()
for n in range(40):
    pid = os.fork()
    if not pid:
        send(f"child {n}")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
over.set()
for thread in threads:
    thread.join()
"""
    )

    assert {f"child {n}" for n in range(40)} <= ids(tmp_path)


def test_a_child_of_a_killed_writer_does_not_keep_the_lock(
    project: Project, tmp_path: Path
) -> None:
    source = """
send()
child = os.fork()
if not child:
    signal.pause()

def work(db):
    print("inside", child, flush=True)
    signal.pause()

broker._session().write(WriteOptions("normal"), work)
"""
    with project.program("-c", START + source) as program:
        child = int(program.wait_for_line("inside").split()[1])
        program.send(KILL)
        try:
            broker = connect(f"sqlite:///{tmp_path}/store.db")
            broker.enqueue([Message(new_id(), "add", b"", "json", "celery")])
            broker.close()
            assert alive(child)
        finally:
            os.kill(child, KILL)

    assert len(ids(tmp_path)) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_does_not_inherit_its_parents_listener(store: str) -> None:
    broker = connect(store)
    listener = broker.result_listener()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if listener.fileno() < 0 and broker.result_listener().fileno() >= 0 else 1)
    _, status = os.waitpid(pid, 0)

    assert status == 0
    assert listener.fileno() >= 0
    broker.close()
