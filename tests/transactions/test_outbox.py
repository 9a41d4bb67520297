"""Tasks whose store is elsewhere are sent in a transaction of the application by its outbox."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ, chain
from liteq.exceptions import InvalidTaskError, TransactionError
from liteq.model.graph import ALONE, Graph, Group, Place
from liteq.model.message import Message
from liteq.transactions.calls import Call, decoded, encoded
from liteq.transactions.dbapi import marked, paramstyle_of
from tests.e2e.project import wait_for

from .shop import Connection


@pytest.fixture(params=["file", "redis"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiteQ]:
    """Yield an application whose store is in another file, or on Redis; its outbox is shop.db."""
    if request.param == "redis":
        url = request.getfixturevalue("redis_store")
    else:
        url = f"sqlite:///{tmp_path / 'queue.db'}"
    app = LiteQ("shop", broker=url, set_as_current=False)
    app.task(name="receipt")(_receipt)
    app.outbox(lambda: sqlite3.connect(tmp_path / "shop.db"))
    with app:
        yield app


def _receipt(id: int) -> str:
    return f"receipt {id}"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("create table orders (id)")
        yield connection


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute("select id, app, failed from liteq_outbox").fetchall()


def test_tasks_are_relayed_after_the_commit(app: LiteQ, connection: Connection) -> None:
    receipt = app.tasks["receipt"]
    with app.transaction(connection):
        connection.execute("insert into orders values (1)")
        results = [
            receipt.delay(1),
            chain(receipt.si(2), receipt.si(3)).delay(),
            receipt.apply_async((4,), task_id="order-4"),
            *app.enqueue_many([receipt.s(5), receipt.s(6)]),
        ]
        assert not any(result.exists() for result in results)
        assert len(rows(connection)) == 4

    assert all(result.exists() for result in results)
    assert rows(connection) == []
    with app.Worker(pool="threads", concurrency=1):
        assert [result.get(timeout=20) for result in results] == [
            f"receipt {n}" for n in (1, 3, 4, 5, 6)
        ]


def test_nothing_is_sent_of_a_transaction_that_is_rolled_back(
    app: LiteQ, connection: Connection
) -> None:
    with pytest.raises(RuntimeError), app.transaction(connection):
        connection.execute("insert into orders values (1)")
        result = app.tasks["receipt"].delay(1)
        raise RuntimeError

    assert not result.exists()
    assert connection.execute("select * from orders").fetchall() == []


def test_a_worker_relays_what_the_sender_did_not(app: LiteQ, connection: Connection) -> None:
    connection.execute("begin")
    result = app.tasks["receipt"].apply_async((1,), connection=connection)
    connection.commit()  # and the sender is gone
    assert not result.exists()
    assert len(rows(connection)) == 1

    with app.Worker(pool="threads", concurrency=1):
        assert result.get(timeout=20) == "receipt 1"
        wait_for(lambda: rows(connection) == [])


def test_what_was_relayed_already_is_relayed_once(app: LiteQ, connection: Connection) -> None:
    connection.execute("begin")
    result = app.tasks["receipt"].apply_async((1,), connection=connection)
    connection.commit()
    ((text,),) = connection.execute("select body from liteq_outbox").fetchall()
    decoded(text).make(app.broker)  # by one that was killed before it deleted the row

    with app.Worker(pool="threads", concurrency=1):
        assert result.get(timeout=20) == "receipt 1"
        wait_for(lambda: rows(connection) == [])
        assert len(app.jobs.list()) == 1


def test_each_application_relays_its_own(
    app: LiteQ, connection: Connection, tmp_path: Path
) -> None:
    other = LiteQ("other", broker=f"sqlite:///{tmp_path / 'o.db'}", set_as_current=False)
    other.outbox(lambda: sqlite3.connect(tmp_path / "shop.db"))
    connection.execute("begin")
    other.send_task("theirs", connection=connection)
    result = app.tasks["receipt"].apply_async((1,), connection=connection)
    connection.commit()
    with other, app.Worker(pool="threads", concurrency=1):
        result.get(timeout=20)
        wait_for(lambda: len(rows(connection)) == 1)
    assert rows(connection)[0][1] == "other"


FOREIGN = ["", "[]", "{", "[[],[],[],null]", '[[["x"]],[[]],[],null]', "[1,2,3,4]", None]


def test_a_row_that_cannot_be_read_is_set_aside(
    app: LiteQ, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    connection.execute("begin")
    result = app.tasks["receipt"].apply_async((1,), connection=connection)
    connection.execute("update liteq_outbox set id = 'z'")
    for n, text in enumerate(FOREIGN[:-1]):
        values = (str(n), "shop", 0.0, text)
        connection.execute("insert into liteq_outbox values (?, ?, ?, ?, null)", values)
    connection.commit()

    with (
        caplog.at_level(logging.ERROR, "liteq.transactions"),
        app.Worker(pool="threads", concurrency=1),
    ):
        assert result.get(timeout=20) == "receipt 1"
        wait_for(lambda: len(rows(connection)) == len(FOREIGN) - 1)
    assert all("no call of liteq" in failed for _, _, failed in rows(connection))
    assert len(caplog.messages) == len(FOREIGN) - 1


def test_a_connection_to_another_database_than_the_registered_ones_is_refused(
    app: LiteQ, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as other:
        with pytest.raises(TransactionError, match=r"x\.db, and the store"), app.transaction(other):
            pass
        assert other.execute("select * from sqlite_master").fetchall() == []


def test_a_function_that_opens_no_connection_is_told(
    connection: Connection, tmp_path: Path
) -> None:
    with LiteQ("s", broker=f"sqlite:///{tmp_path / 'q.db'}", set_as_current=False) as app:
        app.outbox(lambda: "shop.db")
        wrong = pytest.raises(TransactionError, match="opens a connection of Python's DBAPI")
        with wrong, app.transaction(connection):
            pass
    assert not connection.in_transaction


def test_a_transaction_with_old_rows_is_refused(app: LiteQ, connection: Connection) -> None:
    connection.execute("pragma journal_mode = wal")
    with app.transaction(connection):
        pass  # makes the table
    connection.execute("begin")
    connection.execute("select * from orders").fetchall()
    with closing(sqlite3.connect(_file(connection), isolation_level=None)) as other:
        other.execute("insert into orders values (1)")

    refused = pytest.raises(TransactionError, match="cannot begin: database is locked")
    with refused, app.transaction(connection):
        pass


def _file(connection: Connection) -> str:
    return str(connection.execute("pragma database_list").fetchone()[2])


# calls as text


def message(id: str, **fields: Any) -> Message:
    return Message(id, "add", bytes(range(256)), "pickle", "celery", **fields)


@pytest.mark.parametrize(
    "call",
    [
        Call.of_messages([message("a"), message("b", eta=1.5, expires=2.0, options='{"x":1}')]),
        Call.of_messages([message("a", acks_late=False)], 17.25),
        Call(
            Graph(
                (message("a"), message("b")),
                (Place(group="g"), Place(waits="g", barrier=True, followed=True)),
                (Group("g"),),
            )
        ),
    ],
)
def test_a_call_is_read_as_it_was_written(call: Call) -> None:
    assert decoded(encoded(call)) == call


@pytest.mark.parametrize("text", FOREIGN)
def test_what_is_no_call_is_refused(text: str | None) -> None:
    with pytest.raises(InvalidTaskError):
        decoded(text)


def test_a_call_with_a_wrong_field_is_refused() -> None:
    good = json.loads(encoded(Call(Graph((message("a"),), (ALONE,)))))
    for place, wrong in [(0, 7), (2, "%%%"), (5, "high"), (6, "soon"), (12, "no json")]:
        bad = json.loads(json.dumps(good))
        bad[0][0][place] = wrong
        with pytest.raises(InvalidTaskError):
            decoded(json.dumps(bad))


# drivers


@pytest.mark.parametrize(
    ("style", "text", "values"),
    [
        ("qmark", "a = ? and b = ?", (1, 2)),
        ("format", "a = %s and b = %s", (1, 2)),
        ("pyformat", "a = %s and b = %s", (1, 2)),
        ("numeric", "a = :1 and b = :2", (1, 2)),
        ("named", "a = :p1 and b = :p2", {"p1": 1, "p2": 2}),
    ],
)
def test_parameters_are_marked_as_the_driver_says(style: str, text: str, values: Any) -> None:
    assert marked("a = ? and b = ?", style, (1, 2)) == (text, values)


def test_a_driver_that_does_not_say_is_refused() -> None:
    class Unknown:
        pass

    with pytest.raises(TransactionError, match="paramstyle"):
        paramstyle_of(Unknown())
