"""Rows that cannot be read are set aside in steps, so that nobody waits for the write lock."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.sqlite import SqliteBroker
from liteq.brokers.sqlite.changes import Changes
from liteq.brokers.sqlite.claiming import MOST, Claimed, claim_ready, set_unreadable_etas_aside
from liteq.model.message import Message
from liteq.states import Phase

MANY = 3 * MOST


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def broker(path: Path) -> SqliteBroker:
    broker = connect(f"sqlite:///{path}?durability=fast")
    assert isinstance(broker, SqliteBroker)
    broker.enqueue([Message(f"bad{n}", "add", b"", "json", "celery") for n in range(MANY)])
    broker.enqueue([Message("good", "add", b"[[1, 2], {}]", "json", "celery")])
    return broker


def spoil(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"update liteq_task set {change} where id like 'bad%'")


def dead(db: sqlite3.Connection) -> int:
    ((count,),) = db.execute(f"select count(*) from liteq_task where phase = {Phase.DEAD:d}")
    return int(count)


def test_one_transaction_sets_a_bounded_number_of_ready_tasks_aside(
    broker: SqliteBroker, path: Path
) -> None:
    claim = Claim(broker.register("w", "{}"), ("celery",), 10)
    spoil(path, "retries = 'many'")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        assert claim_ready(db, claim, 0.0, Changes()) == Claimed([], claim)
        assert MOST <= dead(db) < 2 * MOST

    (delivery,) = broker.claim(claim)
    assert delivery.message.id == "good"
    assert len(broker.listing([Phase.DEAD], 2 * MANY)) == MANY


def test_each_is_logged_with_its_id(
    broker: SqliteBroker, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    claim = Claim(broker.register("w", "{}"), ("celery",), 10)
    spoil(path, "retries = 'many'")
    broker.claim(claim)

    assert any(text.startswith("task 'bad0' is set aside: ") for text in caplog.messages)


def test_a_settlement_claims_behind_all_that_it_sets_aside(
    broker: SqliteBroker, path: Path
) -> None:
    claim = Claim(broker.register("w", "{}"), ("celery",), 10)
    spoil(path, "retries = 'many'")

    assert [each.message.id for each in broker.settle([], claim).claimed] == ["good"]


def test_one_transaction_sets_a_bounded_number_of_scheduled_tasks_aside(
    broker: SqliteBroker, path: Path
) -> None:
    spoil(path, f"phase = {Phase.SCHEDULED:d}, eta = 'soon'")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        set_unreadable_etas_aside(db, Changes(), 0.0)
        assert dead(db) == MOST

    assert broker.promote() is None
    assert len(broker.listing([Phase.DEAD], 2 * MANY)) == MANY
