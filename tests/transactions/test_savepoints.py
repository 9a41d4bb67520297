"""What is rolled back to a savepoint takes the tasks along that were sent since."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ

from .shop import Connection, Shop, insert

KINDS = ["same file", "outbox"]


@pytest.fixture(params=KINDS)
def app(request: pytest.FixtureRequest, shop: Shop, tmp_path: Path) -> Iterator[LiteQ]:
    """Yield an application that keeps its tasks in the file of the orders, or elsewhere."""
    if request.param == "same file":
        yield shop.app
        return
    with LiteQ("o", broker=f"sqlite:///{tmp_path / 'queue.db'}", set_as_current=False) as app:
        app.outbox(lambda: sqlite3.connect(shop.path))
        app.task(name="receipt")(shop.receipt.run)
        yield app


def sent(app: LiteQ) -> list[str]:
    return sorted(job.id for job in app.jobs.list())


def test_of_a_connection(app: LiteQ, shop: Shop, connection: Connection) -> None:
    receipt = app.tasks["receipt"]
    with app.transaction(connection):
        connection.execute("savepoint inner_one")
        insert(connection, 1)
        undone = receipt.delay(1)
        connection.execute("rollback to inner_one")
        connection.execute("release inner_one")
        insert(connection, 2)
        kept = receipt.delay(2)

    assert shop.orders() == [2]
    assert sent(app) == [kept.id]
    assert not undone.exists()


@pytest.mark.parametrize("kind", ["session", "connection"])
@pytest.mark.parametrize("owner", ["block", "library"])
def test_of_sqlalchemy(app: LiteQ, shop: Shop, kind: str, owner: str) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    engine = sqlalchemy.create_engine(f"sqlite:///{shop.path}")
    receipt = app.tasks["receipt"]

    def order(given: Any, id: int) -> Any:
        result = receipt.delay(id)  # before any statement of the library in the savepoint
        given.execute(sqlalchemy.text(f"insert into orders (id) values ({id})"))
        return result

    with orm.Session(engine) if kind == "session" else engine.connect() as given:
        if owner == "library":
            given.begin()
        with app.transaction(given):
            with pytest.raises(KeyError), given.begin_nested():
                undone = order(given, 1)
                raise KeyError
            with given.begin_nested():
                kept = order(given, 2)
            assert not kept.exists() or app is shop.app
        if owner == "library":
            given.commit()
    engine.dispose()
    for outbox in app.outboxes:  # a Connection does not tell that it has committed, only before
        with closing(outbox.opened()) as connection:
            assert outbox.relay(connection) == (owner == "library" and kind == "connection")

    assert shop.orders() == [2]
    assert sent(app) == [kept.id]
    assert not undone.exists()


def test_of_a_session_without_a_block(app: LiteQ, shop: Shop) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    engine = sqlalchemy.create_engine(f"sqlite:///{shop.path}")
    with orm.Session(engine) as session:
        session.execute(sqlalchemy.text("select 1"))
        with pytest.raises(KeyError), session.begin_nested():
            undone = app.tasks["receipt"].apply_async((1,), connection=session)
            raise KeyError
        session.commit()
    engine.dispose()

    assert not undone.exists()
    assert sent(app) == []


def test_a_savepoint_may_be_all_of_a_transaction(app: LiteQ, shop: Shop) -> None:
    with closing(sqlite3.connect(shop.path)) as connection:
        for undone in (True, False):
            connection.execute("savepoint outer_one")
            with app.transaction(connection):
                insert(connection, 1)
                app.tasks["receipt"].delay(1)
            if undone:
                connection.execute("rollback to outer_one")
            connection.execute("release outer_one")
        assert not connection.in_transaction

    assert shop.orders() == [1]
    if app is shop.app:
        assert len(sent(app)) == 1
    else:  # nobody could tell when it ended, so a worker relays it
        rows = shop.connection.execute("select count(*) from liteq_outbox").fetchall()
        assert rows == [(1,)]
