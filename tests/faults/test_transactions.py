"""Transactions of the application under kill -9: rows and tasks, effects and successes.

Senders and relays are killed before each of their SQL statements, and at each call that changes a
file. Workers and their children are killed at random, and count to the right number.
"""

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from liteq.brokers import connect
from tests.e2e.project import DEADLINE, KILL, ROOT, Program, Project, children_of, wait_for
from tests.faults.strace import CHANGES, Fault, attached, calls_in, needs_strace

SENDER = """
import os, signal, sqlite3, sys
from liteq import LiteQ, chord

where, until = sys.argv[1], int(sys.argv[2])
app = LiteQ("project", broker="sqlite:///store.db?durability=strict", set_as_current=False)

@app.task
def receipt(id):
    return id

connect = lambda: sqlite3.connect("store.db" if where == "same" else "shop.db", timeout=20)
if where != "same":
    app.outbox(connect)
app.broker.counts()  # opens the store
db = connect()
db.execute("pragma journal_mode = wal")
db.execute("create table if not exists orders (id)")
db.commit()
print("ready", flush=True)
sys.stdin.readline()

left = until
def count(sql):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
if until:
    db.set_trace_callback(count)

def order(id):
    db.execute("insert into orders values (?)", (id,))
    receipt.apply_async((id,), headers={"order": str(id)})
    chord([receipt.si(id)] * 2, receipt.si(id)).delay()

with app.transaction(db):  # a new one
    order(1)
db.execute("begin")  # an open one
with app.transaction(db):
    order(2)
db.commit()
try:
    with app.transaction(db):
        order(3)
        raise KeyError
except KeyError:
    pass
print("done", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

RELAY = """
import os, signal, sqlite3, sys
from liteq import LiteQ

until = int(sys.argv[1])
app = LiteQ("project", broker="sqlite:///store.db?durability=strict", set_as_current=False)
app.outbox(lambda: sqlite3.connect("shop.db", timeout=20))
app.broker.counts()
(outbox,) = app.outboxes
db = outbox.opened()
print("ready", flush=True)
sys.stdin.readline()

left = until
def count(sql):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
if until:
    db.set_trace_callback(count)
outbox.relay(db)
print("done", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

TASKS_OF_AN_ORDER = 4

pytest_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Scene:
    """A folder with a sender and a relay, and what they have left in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sender.py").write_text(SENDER)
        (folder / "relay.py").write_text(RELAY)
        self.log = folder / "strace.log"

    def run(self, *argv: str, fault: Fault | None = None, traced: bool = False) -> str:
        """Run a program until it is killed; return what it said."""
        with running(self.folder, *argv) as process:
            assert process.stdin
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            if fault or traced:
                with attached(process.pid, self.log, fault):
                    said, _ = process.communicate("go\n", timeout=30)
            else:
                said, _ = process.communicate("go\n", timeout=30)
        assert abs(process.returncode) == KILL
        return said

    def clear(self) -> None:
        for path in self.folder.glob("*.db*"):
            path.unlink()

    def rows(self, file: str, sql: str) -> list[int]:
        with closing(sqlite3.connect(self.folder / file)) as db:
            try:
                return [n for (n,) in db.execute(sql)]
            except sqlite3.OperationalError as exc:
                if "no such table" not in str(exc):
                    raise
                return []

    def orders(self, file: str) -> list[int]:
        return self.rows(file, "select id from orders order by id")

    def tasks(self) -> list[int]:
        """Return of which orders there are tasks: each one's, all of them or none."""
        order = "cast(json_extract(options, '$.headers.order') as int)"
        found = self.rows("store.db", f"select {order} from liteq_task where {order} is not null")
        (total,) = self.rows("store.db", "select count(*) from liteq_task")
        assert total == TASKS_OF_AN_ORDER * len(found)
        return sorted(found)


@contextmanager
def running(folder: Path, *argv: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_rows_are_there_if_and_only_if_tasks_are_at_a_kill_before_any_statement(
    scene: Scene,
) -> None:
    for until in range(1, 1000):
        scene.clear()
        said = scene.run("sender.py", "same", str(until))
        assert scene.orders("store.db") == scene.tasks(), f"killed before statement {until}"
        if said == "done\n":
            break
    assert until > 20
    assert scene.tasks() == [1, 2]
    print(f"crash points: {until - 1}")


def test_the_same_with_an_outbox_once_it_is_relayed(scene: Scene) -> None:
    for until in range(1, 1000):
        scene.clear()
        said = scene.run("sender.py", "outbox", str(until))
        scene.run("relay.py", "0")
        assert scene.orders("shop.db") == scene.tasks(), f"killed before statement {until}"
        assert scene.rows("shop.db", "select 1 from liteq_outbox") == []
        if said == "done\n":
            break
    assert until > 20
    assert scene.tasks() == [1, 2]
    print(f"crash points: {until - 1}")


def test_a_relay_may_be_killed_before_any_statement(scene: Scene) -> None:
    for until in range(1, 100):
        scene.clear()
        # It leaves two rows of the second order.
        assert scene.run("sender.py", "outbox", "0") == "done\n"
        said = scene.run("relay.py", str(until))
        scene.run("relay.py", "0")
        assert scene.orders("shop.db") == scene.tasks() == [1, 2], f"statement {until}"
        if said == "done\n":
            break
    assert until > 6
    print(f"crash points: {until - 1}")


@needs_strace
@pytest.mark.parametrize("where", ["same", "outbox"])
def test_a_sender_may_be_killed_at_some_changes_of_files(scene: Scene, where: str) -> None:
    kill_sender(scene, where, 4)


@needs_strace
@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("where", ["same", "outbox"])
def test_a_sender_may_be_killed_at_any_change_of_files(scene: Scene, where: str) -> None:
    kill_sender(scene, where, 10_000)


def kill_sender(scene: Scene, where: str, most: int) -> None:
    assert scene.run("sender.py", where, "0", traced=True) == "done\n"
    calls = calls_in(scene.log)
    points = [Fault(call, n + 1) for call in CHANGES for n in range(calls[call])]
    for fault in random.Random(most).sample(points, min(most, len(points))):
        scene.clear()
        assert scene.run("sender.py", where, "0", fault=fault) == ""
        if where == "outbox":
            scene.run("relay.py", "0")
        file = "store.db" if where == "same" else "shop.db"
        assert scene.orders(file) == scene.tasks(), str(fault)
    print(f"crash points: {min(most, len(points))}")


@needs_strace
def test_a_relay_may_be_killed_at_some_changes_of_files(scene: Scene) -> None:
    kill_relay(scene, 4)


@needs_strace
@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_relay_may_be_killed_at_any_change_of_files(scene: Scene) -> None:
    kill_relay(scene, 10_000)


def kill_relay(scene: Scene, most: int) -> None:
    scene.run("sender.py", "outbox", "0")
    assert scene.run("relay.py", "0", traced=True) == "done\n"
    calls = calls_in(scene.log)
    points = [Fault(call, n + 1) for call in CHANGES for n in range(calls[call])]
    for fault in random.Random(most).sample(points, min(most, len(points))):
        scene.clear()
        scene.run("sender.py", "outbox", "0")
        assert scene.run("relay.py", "0", fault=fault) == ""
        scene.run("relay.py", "0")
        assert scene.orders("shop.db") == scene.tasks() == [1, 2], str(fault)
    print(f"crash points: {min(most, len(points))}")


KILLED_AFTER_ITS_COMMIT = """
import os, signal, sqlite3
from contextlib import closing
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")

@app.task(bind=True)
def last_words(self):
    with closing(sqlite3.connect("project.db", timeout=30)) as db:
        with self.commit(db) as tx:
            tx.result = os.getpid()
    os.kill(os.getpid(), signal.SIGKILL)

@app.task
def after(pid):
    return pid
"""


@pytest_linux
def test_nothing_is_charged_for_a_kill_after_the_commit(tmp_path: Path) -> None:
    project = Project(tmp_path, KILLED_AFTER_ITS_COMMIT)
    with project.worker() as worker:
        out = project.python(
            "from project import *\n"
            "result = (last_words.s() | after.s()).delay()\n"
            "print(result.get(timeout=30) == result.parent.get(timeout=30))\n"
            "record, = app.broker.fetch([result.parent.id])\n"
            "print(record.phase.name, record.lost, len(app.broker.attempts(result.parent.id)))"
        )
        assert out.splitlines() == ["True", "SUCCEEDED 0 1"]
        project.python("from project import *; after.delay(1).get(timeout=30)")  # it goes on
        assert "lost its process" not in worker.output
        assert "claim lost" not in worker.output


# counting

COUNTING = """
import os, random, signal, sqlite3
from contextlib import closing
from liteq import LiteQ

IMPORT  # here, so that not each of the processes that follow does so

def connect():
    return OTHER

# So many deaths would set tasks aside that had no part in them.
app = LiteQ("project", broker="STORE", task_max_lost=100_000, result_serializer="json")

def die(chance):
    if random.random() < chance:
        os.kill(os.getpid(), signal.SIGKILL)

def bump(self, block, db):
    die(0.05)
    with block as tx:
        die(0.05)
        tx.execute("update counter set n = n + 1")
        tx.result = "counted"
        die(0.05)
    die(0.1)

@app.task(bind=True)
def commit(self):
    with closing(sqlite3.connect("project.db", timeout=30)) as db:
        bump(self, self.commit(db), db)

@app.task(bind=True)
def once(self):
    with closing(connect()) as db:
        bump(self, self.once(db), db)
    return "not used"
"""

KINDS = ["commit", "once", "once on redis", "once on postgres"]


@pytest_linux
@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", KINDS)
def test_a_count_is_right_after_random_kills(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    count_to(150 if kind in {"commit", "once"} else 50, tmp_path, kind, request)


@pytest_linux
@pytest.mark.soak
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("kind", KINDS)
def test_2000_increments_are_2000_after_random_kills(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    count_to(2000, tmp_path, kind, request)


def count_to(number: int, folder: Path, kind: str, request: pytest.FixtureRequest) -> None:
    url, driver = "sqlite:///project.db", "import sqlite3"
    other = 'sqlite3.connect("other.db", timeout=30)'
    if kind == "once on redis":
        url = request.getfixturevalue("redis_store")
    if kind == "once on postgres":
        server = request.getfixturevalue("postgres")
        driver, other = "import psycopg", f"psycopg.connect({server.dsn!r})"
    source = COUNTING.replace("STORE", url).replace("OTHER", other).replace("IMPORT", driver)
    project = Project(folder, source)
    name = kind.partition(" ")[0]
    with closing(counter_of(kind, folder, request)) as db:
        project.python(
            f"from project import *; app.enqueue_many({name}.s() for _ in range({number}))"
        )

        def count() -> int:
            return int(db.execute("select n from counter").fetchone()[0])

        killed = storm(project, count, number)
        with project.worker("-l", "critical"):
            wait_for(lambda: set(ends(project)) == {("SUCCEEDED", "counted")}, "all", 2 * DEADLINE)
        assert count() == number
        assert sum(ends(project).values()) == number
    print(f"{number} counted, with {killed} kills from outside")


def counter_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Any:
    """Return a connection to a new database, in which the counter is, in autocommit."""
    db: Any
    if kind == "once on postgres":
        db = request.getfixturevalue("postgres").connect(autocommit=True)
        db.execute(
            "create table liteq_done (task varchar(255) primary key, at double precision not null, "
            "result text not null)"
        )
    else:
        file = folder / ("project.db" if kind == "commit" else "other.db")
        if kind == "commit":
            connect(f"sqlite:///{file}").counts()  # makes it, as its own
        db = sqlite3.connect(file, isolation_level=None)
        db.execute("pragma journal_mode = wal")
    db.execute("create table counter (n integer)")
    db.execute("insert into counter values (0)")
    return db


def ends(project: Project) -> dict[tuple[str, str], int]:
    out = project.python(
        "from project import *\n"
        "from collections import Counter\n"
        "from liteq.states import Phase\n"
        "found = app.broker.listing(list(Phase), 10_000)\n"
        "print(Counter((r.phase.name, app.backend.value(r)) for r in found).most_common())"
    )
    return dict(eval(out.splitlines()[-1]))


def storm(project: Project, count: Callable[[], int], number: int) -> int:
    """Kill the worker, and its children, until they have counted to `number`; return how often.

    Nothing is killed before something was counted since the last time, so that a machine on which
    a worker needs long to start gets there too.
    """
    chance = random.Random(7)
    argv = ("-m", "liteq", "worker", "-A", "project", "-c", "2", "-l", "critical")
    worker: Program | None = None
    kills, counted, end = 0, 0, time.monotonic() + 1800  # seconds
    try:
        while (now := count()) < number:
            assert time.monotonic() < end
            worker = worker or project.start(*argv)
            time.sleep(chance.uniform(0.05, 0.5))  # the rhythm of the storm
            if count() <= counted:
                continue
            counted = now
            children = sorted(children_of(worker.pid))
            if children and chance.random() < 0.7:
                victim = chance.choice(children)
                try:
                    os.kill(victim, KILL)
                except ProcessLookupError:
                    continue
            elif chance.random() < 0.3:
                worker.kill()
                worker = None
            kills += 1
    finally:
        if worker is not None:
            worker.kill()
    return kills
