"""What another program writes about limits costs the tasks of that limit, and no others."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq import Limit, LiteQ
from liteq.states import Phase
from tests.servers import RedisServer, needs_redis

GARBAGE = ["x", b"\xff", "", -1, 0, 1e300, "9" * 400]
P = "{liteq}:"


def make(url: str) -> LiteQ:
    app = LiteQ("project", broker=url, set_as_current=False)
    app.task(name="job", limits=[Limit("one", running=1), Limit("rate", rate=1000, burst=1000)])(
        lambda x: x
    )
    app.task(name="other", limits=[Limit("two", running=1)])(lambda x: x)
    app.task(name="free")(lambda x: x)
    return app


@pytest.fixture
def app(tmp_path: Path) -> Iterator[LiteQ]:
    app = make(f"sqlite:///{tmp_path / 'store.db'}?durability=fast")
    yield app
    app.close()


def change(app: LiteQ, sql: str, *values: object) -> None:
    path = app.broker.url.removeprefix("sqlite:///").partition("?")[0]
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(sql, values)


def others_run(app: LiteQ) -> None:
    """Send some that have nothing to do with what was written, and wait for them."""
    results = [app.tasks["free"].delay(n) for n in range(3)]
    results += [app.tasks["other"].delay(n) for n in range(3)]
    results.append(app.tasks["free"].apply_async((3,), countdown=0.05))
    assert [each.get(timeout=20) for each in results] == [0, 1, 2, 0, 1, 2, 3]


@pytest.mark.parametrize("value", GARBAGE, ids=repr)
@pytest.mark.parametrize(
    "column",
    [
        *(f"liteq_limit.{name}" for name in ("name", "running", "rate", "burst", "fixed")),
        *(f"liteq_limit.{name}" for name in ("free", "held", "look", "keep_until")),
        *(f"liteq_limit_use.{name}" for name in ("priority", "state", "cost", "since", "denied")),
    ],
)
def test_a_row_of_a_limit_costs_no_other_task(app: LiteQ, column: str, value: Any) -> None:
    table, name = column.split(".")
    for n in range(4):
        app.tasks["job"].delay(n)
    change(app, f"update {table} set {name} = ?", value)

    with app.Worker(pool="threads", concurrency=1):
        others_run(app)
        app.limits.list()
        app.jobs.list()
        app.broker.purge(None)
        others_run(app)


def test_rows_of_no_task_are_passed_over(app: LiteQ) -> None:
    app.broker.counts()
    for task in (1000, "x", b"y"):
        for key in ("one", b"z", 7, ""):
            for state in (0, 2, 3):
                change(
                    app,
                    "insert or ignore into liteq_limit_use (task, key, priority, state, since) "
                    "values (?, ?, 0, ?, 0)",
                    *(task, f"{key!r}{state}" if key == 7 else key, state),
                )

    with app.Worker(pool="threads", concurrency=1):
        others_run(app)
        app.limits.list()
    app.broker.mend()
    with app.Worker(pool="threads", concurrency=1):
        assert app.tasks["job"].delay(5).get(timeout=20) == 5


@pytest.fixture
def remote(redis_store: str) -> Iterator[LiteQ]:
    app = make(redis_store)
    yield app
    app.close()


@needs_redis
@pytest.mark.parametrize("key", ["limit:one", "line:one", "ahead:one", "counted:rate"])
def test_a_key_of_a_limit_that_is_written_over_costs_no_other_task(
    remote: LiteQ, shared_redis: RedisServer, key: str
) -> None:
    for n in range(4):
        remote.tasks["job"].delay(n)
    shared_redis.command("SET", P + key, "a letter")
    with remote.Worker(pool="threads", concurrency=1):
        others_run(remote)
        sent = remote.tasks["job"].delay(5)
        others_run(remote)
    assert remote.jobs.get(sent.id) is not None
    shared_redis.command("DEL", P + key)
    remote.broker.mend()
    with remote.Worker(pool="threads", concurrency=1):
        assert remote.tasks["job"].delay(6).get(timeout=20) == 6


@needs_redis
@pytest.mark.parametrize("field", ["running", "rate", "burst", "free", "held", "look", "name"])
def test_a_field_of_a_limit_costs_no_other_task(
    remote: LiteQ, shared_redis: RedisServer, field: str
) -> None:
    for value in ("x", "", "-1", "0", "1e300", "9" * 400):
        shared_redis.command("FLUSHALL")
        for n in range(4):
            remote.tasks["job"].delay(n)
        shared_redis.command("HSET", P + "limit:one", field, value)
        shared_redis.command("HSET", P + "limit:rate", field, value)
        with remote.Worker(pool="threads", concurrency=1):
            others_run(remote)
            remote.limits.list()


@needs_redis
def test_doctor_gives_back_places_of_tasks_that_are_gone(
    remote: LiteQ, shared_redis: RedisServer
) -> None:
    first, *others = [remote.tasks["other"].delay(n) for n in range(3)]
    shared_redis.command("DEL", P + "task:" + first.id)
    (finding,) = [e for e in remote.broker.examine().findings if "wait for limits" in e.what]
    assert "1 places are taken" in finding.what

    assert any("waited for limits" in each for each in remote.broker.mend())

    assert not any("wait for limits" in each.what for each in remote.broker.examine().findings)
    with remote.Worker(pool="threads", concurrency=1):
        assert [each.get(timeout=20) for each in others] == [1, 2]


@needs_redis
def test_doctor_finds_tasks_whose_line_was_deleted(
    remote: LiteQ, shared_redis: RedisServer
) -> None:
    results = [remote.tasks["other"].delay(n) for n in range(4)]
    shared_redis.command("DEL", P + "line:two")
    found = remote.broker.examine(thorough=True).findings
    assert any("3 tasks are in no index" in each.what for each in found)

    remote.broker.mend()

    with remote.Worker(pool="threads", concurrency=1):
        assert [each.get(timeout=20) for each in results] == [0, 1, 2, 3]
    assert remote.broker.counts() == [("celery", Phase.SUCCEEDED, 4)]
