"""The end of a transaction in which a task completes: whoever ends it, and wherever."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from liteq.exceptions import TransactionError

from .shop import Connection, Shop, insert

KINDS = ["commit", "once"]


@pytest.fixture
def worker(shop: Shop) -> Iterator[Any]:
    with shop.app.Worker(pool="threads", concurrency=1) as worker:
        yield worker


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return a database with no outbox."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table orders (id integer primary key)")
    return path


def ids(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [id for (id,) in connection.execute("select id from orders order by id")]


def run(shop: Shop, work: Callable[[Any], Any]) -> Any:
    """Return the result of a task that does `work`."""
    name = f"task-{len(shop.app.tasks)}"

    @shop.app.task(bind=True, name=name)
    def task(self: Any) -> Any:
        return work(self)

    result = task.delay()
    result.get(timeout=20, propagate=False)
    return result


@pytest.mark.parametrize("kind", KINDS)
def test_a_transaction_that_is_open_is_refused(shop: Shop, worker: Any, kind: str) -> None:
    def work(self: Any) -> None:
        with closing(sqlite3.connect(shop.path)) as connection:
            insert(connection, 1)
            with getattr(self, kind)(connection):
                insert(connection, 2)

    result = run(shop, work)
    assert isinstance(result.result, TransactionError)
    assert "commit it or roll it back before" in str(result.result)
    assert shop.orders() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["commit", "with"])
@pytest.mark.parametrize("more", [True, False])
def test_a_commit_inside_the_block_does_not_go_unnoticed(
    shop: Shop, worker: Any, kind: str, how: str, *, more: bool
) -> None:
    def work(self: Any) -> None:
        with closing(sqlite3.connect(shop.path)) as connection, getattr(self, kind)(connection):
            if how == "with":
                with connection:
                    insert(connection, 1)
            else:
                insert(connection, 1)
                connection.commit()
            if more:  # Python begins another transaction
                insert(connection, 2)

    result = run(shop, work)
    assert isinstance(result.result, TransactionError)
    assert "Leave the commit to the block" in str(result.result)
    assert result.state == "FAILURE"
    assert shop.orders() == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_commit_that_fails_is_no_success_even_if_the_task_catches_that(
    shop: Shop, worker: Any, kind: str
) -> None:
    shop.connection.execute(
        "create table line (of int references orders deferrable initially deferred)"
    )

    def work(self: Any) -> None:
        with closing(sqlite3.connect(shop.path)) as connection:
            connection.execute("pragma foreign_keys = on")
            with suppress(TransactionError), getattr(self, kind)(connection) as tx:
                insert(connection, 1)
                connection.execute("insert into line values (7)")
                tx.result = "done"

    result = run(shop, work)
    assert shop.orders() == []
    if kind == "once":
        assert isinstance(result.result, TransactionError)
        assert "was not committed" in str(result.result)
    else:  # it has said itself that it goes on without
        assert (result.state, result.result) == ("SUCCESS", None)


@pytest.mark.parametrize("kind", ["session", "connection"])
@pytest.mark.parametrize("end", ["commit", "rollback", "nothing", "savepoint"])
def test_once_in_an_open_transaction_of_sqlalchemy_counts_if_that_is_committed(
    shop: Shop, worker: Any, ledger: Path, kind: str, end: str
) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    engine = sqlalchemy.create_engine(f"sqlite:///{ledger}")

    def work(self: Any) -> str:
        with orm.Session(engine) if kind == "session" else engine.connect() as given:
            first = "insert into orders (id) values (2)" if end == "savepoint" else "select 1"
            given.execute(sqlalchemy.text(first))  # begins one
            nested = given.begin_nested() if end == "savepoint" else nullcontext()
            with nested, self.once(given) as tx:
                given.execute(sqlalchemy.text("insert into orders (id) values (1)"))
                tx.result = "done"
            if end in {"commit", "rollback"}:
                getattr(given, end)()
        return "not used"

    result = run(shop, work)
    engine.dispose()
    if end == "commit":
        assert result.result == "done"
        assert ids(ledger) == [1]
    else:
        assert isinstance(result.result, TransactionError)
        assert f"{__file__}:" in str(result.result)
        assert "was not committed when the task returned" in str(result.result)
        assert ids(ledger) == []


def test_a_transaction_without_success_may_be_joined_as_ever(
    shop: Shop, connection: Connection
) -> None:
    insert(connection, 1)
    with shop.app.transaction(connection):
        shop.receipt.delay(1)
    connection.commit()
    assert (shop.orders(), len(shop.sent())) == ([1], 1)
