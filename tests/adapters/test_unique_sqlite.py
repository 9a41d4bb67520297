"""Unique keys in a SQLite file: by SQL, and what is left of them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ, Unique, group
from liteq.app.why import why
from liteq.testing import drain


@pytest.fixture
def path(store: str) -> Path:
    return Path(store.partition("///")[2].partition("?")[0])


@pytest.fixture
def app(store: str) -> Any:
    with LiteQ("project", broker=store) as app:
        yield app


@pytest.fixture
def sync(app: LiteQ) -> Any:
    @app.task(name="project.sync", unique=Unique("{account}"))
    def sync(account: int) -> int:
        return account

    app.broker.counts()  # makes the file
    return app.tasks[sync.name]


def execute(path: Path, sql: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(sql, values).fetchall()


INSERT = "insert into liteq_unique_task (task, payload, key) values ('project.sync', ?, ?)"


def test_a_task_that_is_inserted_by_sql_obeys_its_key(app: LiteQ, sync: Any, path: Path) -> None:
    execute(path, INSERT, "[[7], {}]", "7")
    execute(path, INSERT, "[[7], {}]", "7")
    execute(path, INSERT, "[[8], {}]", "8")
    sent = sync.delay(7)

    assert sent.duplicate
    found = execute(path, "select id, key, queue, until from liteq_unique_task order by key")
    assert [row[1:] for row in found] == [("7", "celery", "finished"), ("8", "celery", "finished")]
    assert found[0][0] == sent.id
    assert drain(app) == 2
    assert sent.get(timeout=0) == 7
    assert not sync.delay(8).duplicate


def test_by_sql_a_key_may_last_for_seconds_and_a_task_may_come_later(
    app: LiteQ, sync: Any, path: Path
) -> None:
    columns = "(id, task, payload, key, queue, priority, eta, until)"
    for id, until in (("a", "started"), ("b", 60.0), ("c", None)):
        execute(
            path,
            f"insert into liteq_unique_task {columns} "
            "values (?, 'project.sync', '[[1], {}]', ?, 'mail', 3, unixepoch('now', '+1 day'), ?)",
            *(id, id, until),
        )
    records = app.broker.fetch(["a", "b", "c"])
    assert [(r.phase.name, r.message.queue, r.message.priority) for r in records if r] == [
        ("SCHEDULED", "mail", 3)
    ] * 3
    assert [sync.apply_async((1,), unique=Unique(key)).id for key in "abc"] == ["a", "b", "c"]


@pytest.mark.parametrize("key", [None, "", "x" * 201])
def test_by_sql_a_key_is_asked_for(sync: Any, path: Path, key: Any) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="needs a key"):
        execute(path, INSERT, "[[7], {}]", key)
    assert execute(path, "select count(*) from liteq_task") == [(0,)]


def test_what_waits_for_a_task_of_its_key_is_not_stuck(app: LiteQ, sync: Any) -> None:
    sync.delay(7)
    result = group(sync.s(7), sync.s(8)).delay().results[0]

    assert app.broker.examine().facts["stuck"] == 0
    assert why(app, result.id) == "it waits for the end of the task that has its unique key '7'"


def test_nothing_is_left_of_a_key_when_its_task_is_gone(app: LiteQ, sync: Any, path: Path) -> None:
    for _ in range(3):
        sync.delay(7)
        drain(app)
    # What has ended is forgotten by the next task of its key, or with the task itself.
    assert execute(path, "select count(*) from liteq_unique") == [(1,)]
    execute(path, "delete from liteq_task")
    assert execute(path, "select count(*) from liteq_unique") == [(0,)]


def test_rows_of_other_programs_do_no_harm(app: LiteQ, sync: Any, path: Path) -> None:
    sync.delay(7)
    execute(path, "update liteq_unique set until = 'x', keep_until = 'soon', behind = 7")
    sync.delay(7)
    execute(path, "update liteq_task set phase = 'x'")
    execute(path, "insert into liteq_unique (task, key, until) values (99, 'project.sync 8', 'a')")
    execute(path, "update liteq_unique set behind = 'a', key = null")
    assert not sync.delay(8).duplicate
    drain(app)
