"""Files of earlier versions are upgraded, with all that is in them."""

import sqlite3
import time
from contextlib import closing
from math import inf
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.owners import this_process
from liteq.brokers.sqlite.schema import APPLICATION_ID, VERSION
from liteq.states import Phase
from liteq.testing.contract.harness import rescuing

HERE = Path(__file__).parent


@pytest.fixture(params=range(1, VERSION))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a file of that version: two tasks are ready, one ran when its worker was killed."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("pragma journal_mode = wal")
        db.executescript((HERE / f"schema_{request.param}.sql").read_text())
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute(f"pragma user_version = {request.param}")
        for id in ("running", "first", "second"):
            db.execute("insert into task (id, task, payload) values (?, 'add', '[[],{}]')", (id,))
        owner = str(this_process()._replace(boot="an earlier one"))
        worker = ("old", owner, 1, "host", 1.0, 1.0)
        db.execute(
            "insert into worker (name, owner, pid, host, started, beat) values (?,?,?,?,?,?)",
            worker,
        )
        db.execute("update task set phase = 3, worker = 1, started = 1.0 where id = 'running'")
    path.chmod(0o600)
    return path


def layout(path: Path) -> dict[str, object]:
    """Return the columns of each table, and the definitions of indexes and triggers."""
    with closing(sqlite3.connect(path)) as db:
        master = db.execute("select type, name, sql from sqlite_master").fetchall()
        tables = [name for kind, name, _ in master if kind == "table"]
        columns = {
            name: sorted(row[1:] for row in db.execute(f"pragma table_info({name})"))
            for name in tables
        }
        others = {name: " ".join((sql or "").split()) for kind, name, sql in master}
    return {**columns, **{name: sql for name, sql in others.items() if name not in tables}}


def test_an_upgraded_file_has_the_schema_of_a_new_one(old: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.db"
    for path in (old, new):
        broker = connect(f"sqlite:///{path}")
        broker.counts()
        broker.close()

    assert layout(old) == layout(new)


def test_tasks_of_an_old_file_are_run(old: Path) -> None:
    broker = connect(f"sqlite:///{old}")
    rescued = broker.rescue(rescuing(broker.clock))
    worker = broker.register("new", "{}")
    claimed = broker.claim(Claim(worker, ("celery",), 10))

    assert [(each.message.id, each.phase) for each in rescued] == [("running", Phase.READY)]
    assert [each.message.id for each in claimed] == ["running", "first", "second"]
    broker.close()


@pytest.mark.parametrize("old", [2], indirect=True)
@pytest.mark.parametrize("kept_for", [1000.0, inf])
def test_a_task_that_was_revoked_while_it_ran_is_kept_as_long_as_before(
    old: Path, kept_for: float
) -> None:
    until = time.time() + kept_for
    with closing(sqlite3.connect(old)) as db, db:
        db.execute("update task set revoked = ? where id = 'running'", (until,))
    broker = connect(f"sqlite:///{old}")
    (ended,) = broker.rescue(rescuing(broker.clock))
    broker.close()

    assert ended.phase is Phase.CANCELLED
    if kept_for == inf:
        assert ended.keep_until is None
    else:
        assert ended.keep_until is not None
        assert until - 1 < ended.keep_until  # the upgrade counts in whole seconds
