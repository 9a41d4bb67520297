"""Faults of the store, 4: files of other versions, and upgrades that are cut short.

docs/internals/storage-faults.md has the table of all storage faults and their tests.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from liteq import LiteQ, chain
from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.sqlite.location import SqliteLocation
from liteq.brokers.sqlite.schema import APPLICATION_ID, VERSION, ensure_schema, is_current
from liteq.exceptions import BrokerTooNew
from liteq.model.message import Message
from liteq.model.outcome import Settlement
from liteq.states import Phase
from tests.e2e.project import Project
from tests.faults.storage import needs_strace

SCHEMAS = Path(__file__).parents[1] / "adapters"
every_schema = pytest.mark.parametrize("schema", range(1, VERSION))
UPGRADE = "from liteq.brokers import connect; connect('sqlite:///old.db').counts()"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def version(path: Path) -> int:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        if db.execute("select 1 from sqlite_master where name = 'liteq_meta'").fetchall():
            ((found,),) = db.execute("select value from liteq_meta where name = 'schema'")
        else:
            ((found,),) = db.execute("pragma user_version")
        return int(found)


def upgrade(path: Path) -> None:
    """Upgrade the file as the next version of liteq will."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("begin immediate")
        db.execute("update liteq_meta set value = ? where name = 'schema'", (VERSION + 1,))
        db.execute(f"drop view liteq_schema_{VERSION}")
        db.execute("commit")


def rows(path: Path) -> list[tuple[object, ...]]:
    """Return the tasks and the schedules."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        return [
            row
            for table in ("liteq_task", "liteq_schedule")
            for row in db.execute(f"select * from {table}")
        ]


def make_old(path: Path, schema: int) -> None:
    """A store of an earlier schema: many tasks wait, one was running when its worker died."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("pragma journal_mode = wal")
        db.executescript((SCHEMAS / f"schema_{schema}.sql").read_text())
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute(f"pragma user_version = {schema}")
        rows = [(str(n),) for n in range(200)]
        db.executemany("insert into task (id, task, payload) values (?, 'add', '[[],{}]')", rows)
        db.execute("update task set phase = 3, worker = 1, started = 1.0 where id = '7'")
    path.chmod(0o600)


def test_a_file_of_a_newer_liteq_is_refused_and_left_as_it_is(project: Project) -> None:
    project.python("import project; project.add.delay(1, 2)")
    upgrade(project.folder / "project.db")

    for command in (["worker"], ["status"], ["doctor"], ["backup", "copy.db"]):
        said = project.liteq(*command, "-A", "project", code=65)
        assert f"has schema {VERSION + 1}, this liteq knows {VERSION}: upgrade" in said
    assert version(project.folder / "project.db") == VERSION + 1


LOOKS = [["status"], ["jobs"], ["purge", "-f"], ["inspect", "active"], ["doctor"]]


@every_schema
def test_who_looks_at_a_file_of_an_older_liteq_leaves_it_as_it_is(
    project: Project, schema: int
) -> None:
    path = project.folder / "old.db"
    make_old(path, schema)
    url = f"sqlite:///{path}"

    for command in LOOKS:
        said = project.liteq(*command, "-b", url, code=65)
        assert f"has schema {schema}, of an earlier liteq, and this one has {VERSION}" in said
        assert "`liteq doctor --repair`" in said
    project.liteq("backup", "copy.db", "-b", url)
    assert (version(path), version(project.folder / "copy.db")) == (schema, schema)
    assert not (project.folder / "old.db-gate").exists()

    assert "upgraded the tables" in project.liteq("doctor", "--repair", "-b", url)
    project.liteq("status", "-b", url, code=69)
    assert version(path) == VERSION
    copy = f"sqlite:///{project.folder / 'copy.db'}"
    new = f"sqlite:///{project.folder / 'new.db'}"
    assert "moved 199 ready" in project.liteq("move", copy, new, code=1)  # one is running


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("shared", [False, True])
def test_a_file_that_somebody_else_is_just_making_is_not_taken_for_a_strangers(
    tmp_path: Path, step: int, shared: bool
) -> None:
    path = str(tmp_path / "new.db")
    location = SqliteLocation(path, "safe", shared)
    steps = iter(range(99))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("pragma journal_mode = wal")

        def beside(_: str) -> None:
            """At one of the statements by which it looks, another makes the tables."""
            if next(steps) == step:
                with closing(sqlite3.connect(path, isolation_level=None)) as other:
                    ensure_schema(other, location)

        db.set_trace_callback(beside)
        is_current(db, location)  # whatever it finds, it does not raise
        db.set_trace_callback(None)

        ensure_schema(db, location)
        assert is_current(db, location)


def test_a_worker_stops_when_a_newer_liteq_has_upgraded_its_file(project: Project) -> None:
    with project.worker() as worker:
        upgrade(project.folder / "project.db")
        assert worker.wait() == 65
        assert f"has schema {VERSION + 1}" in worker.output


def test_upkeep_tells_of_a_newer_schema(tmp_path: Path) -> None:
    broker = connect(f"sqlite:///{tmp_path}/q.db")
    broker.counts()
    broker.upkeep()
    upgrade(tmp_path / "q.db")

    with pytest.raises(BrokerTooNew):
        broker.upkeep()
    broker.close()


WRITES: dict[str, Callable[[LiteQ], object]] = {
    "a task": lambda app: app.send_task("add", (1, 2)),
    "a task for later": lambda app: app.send_task("add", (1, 2), countdown=60),
    "many tasks": lambda app: app.enqueue_many([app.signature("add", (1, 2))] * 3),
    "a workflow": lambda app: chain(app.signature("add"), app.signature("add")).apply_async(),
    "a schedule": lambda app: app.schedules.add("hourly", 3600, "add"),
    "a revocation": lambda app: app.control.revoke(ID),
}
ID = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize("what", WRITES)
def test_who_has_the_file_open_is_refused_once_a_newer_liteq_has_upgraded_it(
    tmp_path: Path, what: str
) -> None:
    path = tmp_path / "q.db"
    app = LiteQ("old", broker=f"sqlite:///{path}", set_as_current=False)
    app.send_task("add", (1, 1), task_id=ID)
    upgrade(path)
    before = rows(path)

    for _ in range(2):
        with pytest.raises(BrokerTooNew) as caught:
            WRITES[what](app)
        assert f"{path} has schema {VERSION + 1}, this liteq knows {VERSION}: upgrade" in str(
            caught.value
        )
    assert rows(path) == before
    app.close()


def test_a_settlement_is_refused_once_a_newer_liteq_has_upgraded_the_file(tmp_path: Path) -> None:
    broker = connect(f"sqlite:///{tmp_path}/q.db")
    broker.enqueue([Message("a", "add", b"[[], {}]", "json", "celery")])
    (delivery,) = broker.claim(Claim(broker.register("w", "{}"), ("celery",), 1))
    upgrade(tmp_path / "q.db")

    with pytest.raises(BrokerTooNew):
        broker.settle([Settlement(delivery.receipt, Phase.SUCCEEDED, 2.0, b"1", "json")])
    broker.close()


def killed_upgrade(project: Project, call: str, nth: int) -> bool:
    """Upgrade the store and kill that at its `nth` such call; False when it came to its end."""
    argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    argv += ["-e", f"inject={call}:signal=SIGKILL:when={nth}", sys.executable, "-c", UPGRADE]
    return bool(subprocess.run(argv, cwd=project.folder, env=project.env, check=False).returncode)


def upgrades_survive(project: Project, schema: int, call: str, step: int) -> int:
    """Kill upgrades at their calls, each on a file of its own; answer how many there were."""
    path = project.folder / "old.db"
    nth, kills = 1, 0
    while True:
        for each in project.folder.glob("old.db*"):
            each.unlink()
        make_old(path, schema)
        killed = killed_upgrade(project, call, nth)
        assert version(path) in {schema, VERSION}, "all of it or nothing"
        project.python(UPGRADE)  # whoever comes next brings it to its end
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
            assert db.execute("pragma user_version").fetchall() == [(VERSION,)]
            phases = "select phase, count(*), sum(attempts) from liteq_task group by phase"
            assert db.execute(phases).fetchall() == [(2, 199, 0), (3, 1, 0)]
        if not killed:
            return kills
        nth, kills = nth + step, kills + 1


@needs_strace
@every_schema
def test_an_upgrade_that_is_killed_at_some_write_is_done_again_or_was_done(
    project: Project, schema: int
) -> None:
    assert upgrades_survive(project, schema, "pwrite64", step=12) > 1


@needs_strace
@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("call", ["pwrite64", "ftruncate", "fdatasync", "unlink"])
@every_schema
def test_an_upgrade_that_is_killed_at_any_call_is_done_again_or_was_done(
    project: Project, schema: int, call: str
) -> None:
    assert upgrades_survive(project, schema, call, step=1) > 0
