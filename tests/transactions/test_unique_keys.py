"""Unique tasks in transactions of the application."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ, Unique, chain
from liteq.exceptions import DuplicateTask
from liteq.testing import drain
from tests.e2e.project import wait_for

from .shop import EVERY_PHASE, Connection, Shop, insert

ONCE = Unique("{id}")
REFUSED = Unique("{id}", then="raise")


# in the file of the store


def test_a_key_is_taken_if_and_only_if_the_transaction_commits(
    shop: Shop, connection: Connection
) -> None:
    with pytest.raises(ZeroDivisionError), shop.app.transaction(connection):
        assert not shop.receipt.apply_async((1,), unique=ONCE).duplicate
        assert shop.receipt.apply_async((1,), unique=ONCE).duplicate
        raise ZeroDivisionError
    with shop.app.transaction(connection):
        first = shop.receipt.apply_async((1,), unique=ONCE)

    second = shop.receipt.apply_async((1,), unique=ONCE)
    assert (first.duplicate, second.duplicate, second.id) == (False, True, first.id)


def test_a_refused_call_leaves_the_transaction_as_it_was(
    shop: Shop, connection: Connection
) -> None:
    first = shop.receipt.apply_async((1,), unique=REFUSED)
    with shop.app.transaction(connection):
        insert(connection, 1)
        with pytest.raises(DuplicateTask):
            shop.receipt.apply_async((1,), unique=REFUSED)
        other = shop.receipt.delay(2)

    assert shop.orders() == [1]
    assert shop.sent() == [first.id, other.id]


def test_new_arguments_of_a_transaction_are_rolled_back(shop: Shop, connection: Connection) -> None:
    rule = Unique("newest", then="replace")
    shop.receipt.apply_async((1,), unique=rule)
    with pytest.raises(ZeroDivisionError), shop.app.transaction(connection):
        shop.receipt.apply_async((2,), unique=rule)
        raise ZeroDivisionError
    drain(shop.app)

    (record,) = shop.app.broker.fetch(shop.sent())
    assert record is not None
    assert b"receipt 1" in (record.result or b"")


# elsewhere, where it is known later who has the key


@pytest.fixture(params=["file", "redis", "memory"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiteQ]:
    """Yield an application whose store is not the shop's database."""
    urls = {"file": f"sqlite:///{tmp_path / 'queue.db'}", "memory": "memory://"}
    url = urls.get(request.param) or request.getfixturevalue("redis_store")
    app = LiteQ("shop", broker=url, set_as_current=False)
    app.task(name="receipt")(receipt)
    if request.param != "memory":
        app.outbox(lambda: sqlite3.connect(tmp_path / "shop.db"))
    with app:
        yield app


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Connection]:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("create table orders (id)")
        yield connection


def receipt(id: Any, more: Any = None) -> str:
    return f"receipt {id} {more}"


def test_a_call_that_is_relayed_has_the_result_of_the_task_with_its_key(
    app: LiteQ, database: Connection
) -> None:
    task = app.tasks["receipt"]
    first = task.apply_async((1,), unique=ONCE)
    with app.transaction(database):
        results = [
            task.apply_async((1, "second"), unique=ONCE),
            task.apply_async((1, "refused"), unique=REFUSED),
            task.apply_async((1,), task_id="mine", unique=REFUSED),
            chain(task.si(1).set(unique=REFUSED), task.si(2)).delay().parent,
            *app.enqueue_many([task.s(1).set(unique=ONCE), task.s(3)]),
        ]
    wait_for(lambda: len(app.broker.listing(EVERY_PHASE, 99)) == 8)
    while drain(app):
        pass

    assert len({first.id, *(each.id for each in results)}) == 7
    assert [each.get(timeout=0) for each in results[:5]] == ["receipt 1 None"] * 5
    assert results[5].get(timeout=0) == "receipt 3 None"


def test_a_call_that_is_relayed_twice_is_run_once(
    app: LiteQ, database: Connection, tmp_path: Path
) -> None:
    """The one that relays may be killed before it has noted that."""
    task = app.tasks["receipt"]
    if app.broker.local:
        pytest.skip("it has no outbox")
    with app.transaction(database):
        result = task.apply_async((1,), unique=ONCE)
        row = database.execute("select * from liteq_outbox").fetchall()
    wait_for(lambda: not database.execute("select 1 from liteq_outbox").fetchall())
    marks = ", ".join("?" * len(row[0]))
    with database:
        database.execute(f"insert into liteq_outbox values ({marks})", row[0])
    (outbox,) = app.outboxes
    with closing(outbox.opened()) as connection:
        assert outbox.relay(connection) == 1

    assert drain(app) == 1
    assert result.get(timeout=0) == "receipt 1 None"
