"""Tasks in transactions of PostgreSQL, on a server if there is one."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import TransactionError
from tests.e2e.project import wait_for
from tests.postgres import PostgresServer, needs_postgres

pytestmark = needs_postgres

DONE = (
    "create table liteq_done (task varchar(255) primary key, at double precision not null, "
    "result text not null)"
)


@pytest.fixture
def app(postgres: PostgresServer, tmp_path: Path) -> Iterator[LiteQ]:
    """Yield an application whose orders are on the server, and its tasks in a file."""
    app = LiteQ("shop", broker=f"sqlite:///{tmp_path / 'queue.db'}", set_as_current=False)
    app.task(name="receipt")(_receipt)
    app.outbox(postgres.connect)
    with closing(postgres.connect()) as connection, connection:
        connection.execute("create table orders (id integer)")
        connection.execute(DONE)
    with app:
        yield app


@pytest.fixture
def connection(app: LiteQ, postgres: PostgresServer) -> Iterator[Any]:
    with closing(postgres.connect()) as connection:
        yield connection


def _receipt(id: int) -> str:
    return f"receipt {id}"


def orders(postgres: PostgresServer) -> list[int]:
    with closing(postgres.connect()) as connection:
        return [id for (id,) in connection.execute("select id from orders order by id")]


def outbox(postgres: PostgresServer) -> list[str | None]:
    """Return why rows are left alone, of those that are there."""
    with closing(postgres.connect()) as connection:
        return [why for (why,) in connection.execute("select failed from liteq_outbox")]


def insert(connection: Any, id: int) -> None:
    connection.execute("insert into orders values (%s)", (id,))


# sending


def test_the_block_begins_and_commits(
    app: LiteQ, postgres: PostgresServer, connection: Any
) -> None:
    receipt = app.tasks["receipt"]
    with app.transaction(connection):
        insert(connection, 1)
        result = receipt.delay(1)
        assert not result.exists()
    assert result.exists()
    assert orders(postgres) == [1]
    assert outbox(postgres) == []

    with pytest.raises(KeyError), app.transaction(connection):
        insert(connection, 2)
        undone = receipt.delay(2)
        raise KeyError
    assert not undone.exists()
    assert orders(postgres) == [1]
    with app.transaction(connection):  # and it can be used again
        insert(connection, 3)


def test_an_open_transaction_is_ended_by_its_owner(
    app: LiteQ, postgres: PostgresServer, connection: Any
) -> None:
    receipt = app.tasks["receipt"]
    results: list[Any] = []
    for end in (connection.rollback, connection.commit):
        insert(connection, 1)
        with app.transaction(connection):
            results.append(receipt.delay(1))
        results.append(receipt.apply_async((2,), connection=connection))
        end()
    assert orders(postgres) == [1]
    assert len(outbox(postgres)) == 2

    with app.Worker(pool="threads", concurrency=1):
        assert [result.get(timeout=20) for result in results[2:]] == ["receipt 1", "receipt 2"]
        wait_for(lambda: outbox(postgres) == [])
    assert not any(result.exists() for result in results[:2])


def test_a_savepoint_takes_its_tasks_along(
    app: LiteQ, postgres: PostgresServer, connection: Any
) -> None:
    with app.transaction(connection):
        with pytest.raises(KeyError), connection.transaction():
            undone = app.tasks["receipt"].delay(1)
            raise KeyError
        kept = app.tasks["receipt"].delay(2)
    assert (undone.exists(), kept.exists()) == (False, True)


def test_autocommit_is_refused_outside_of_a_transaction(
    app: LiteQ, postgres: PostgresServer
) -> None:
    with closing(postgres.connect(autocommit=True)) as connection:
        with pytest.raises(TransactionError, match="autocommit mode"), app.transaction(connection):
            pass
        with connection.transaction(), app.transaction(connection):
            insert(connection, 1)
            app.tasks["receipt"].delay(1)
            assert orders(postgres) == []
    assert orders(postgres) == [1]
    assert outbox(postgres) == [None]


def test_a_call_needs_an_open_transaction(app: LiteQ, connection: Any) -> None:
    with pytest.raises(TransactionError, match="begin it before"):
        app.tasks["receipt"].apply_async((1,), connection=connection)


def test_a_transaction_that_has_failed_takes_no_tasks(app: LiteQ, connection: Any) -> None:
    import psycopg

    with pytest.raises(psycopg.Error):
        connection.execute("select * from nothing")
    with pytest.raises(TransactionError, match="aborted"), app.transaction(connection):
        pass
    connection.rollback()
    refused = pytest.raises(TransactionError, match="does not take the task")
    with refused, app.transaction(connection) as block:
        with pytest.raises(psycopg.Error):
            block.execute("select * from nothing")
        app.tasks["receipt"].delay(1)


def test_another_database_of_the_same_server_is_not_the_registered_one(
    app: LiteQ, postgres: PostgresServer, connection: Any
) -> None:
    with closing(postgres.connect(autocommit=True)) as admin:
        admin.execute("drop database if exists other")
        admin.execute("create database other")
    with closing(postgres.connect(dbname="other")) as other:
        refused = pytest.raises(TransactionError, match="'other' of psycopg, and the store")
        with refused, app.transaction(other):
            pass


def test_the_table_may_be_made_by_others(
    app: LiteQ, postgres: PostgresServer, tmp_path: Path
) -> None:
    """The application may write to it, and make none."""
    app.outboxes[0].opened().close()
    with closing(postgres.connect(autocommit=True)) as admin:
        admin.execute("drop role if exists clerk")
        admin.execute("create role clerk login")
        admin.execute("grant select, insert, update, delete on liteq_outbox, orders to clerk")
    try:
        url = f"sqlite:///{tmp_path / 'queue.db'}"
        with LiteQ("shop", broker=url, set_as_current=False) as clerk:
            clerk.outbox(lambda: postgres.connect(user="clerk"))
            with closing(postgres.connect(user="clerk")) as connection:
                with clerk.transaction(connection):
                    insert(connection, 1)
                    result = clerk.send_task("receipt", (1,))
                assert result.exists()
    finally:
        with closing(postgres.connect(autocommit=True)) as admin:
            admin.execute("drop owned by clerk")
            admin.execute("drop role clerk")


def test_the_table_is_made_by_many_at_once(app: LiteQ, postgres: PostgresServer) -> None:
    gate, errors = threading.Barrier(8), list[BaseException]()

    def open_it() -> None:
        gate.wait(20)
        try:
            app.outboxes[0].opened().close()
        except Exception as exc:
            errors.append(exc)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == []


def test_a_relay_goes_on_when_its_connection_was_cut(
    app: LiteQ, postgres: PostgresServer, connection: Any
) -> None:
    with app.Worker(pool="threads", concurrency=1), closing(postgres.connect()) as other:
        for id in range(2):
            insert(connection, id)
            result = app.tasks["receipt"].apply_async((id,), connection=connection)
            connection.commit()
            assert result.get(timeout=20) == f"receipt {id}"
            other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where pid not in (%s, %s)"
                " and backend_type = 'client backend'",
                (connection.info.backend_pid, other.info.backend_pid),
            )
            other.commit()


def test_rows_that_are_no_calls_are_set_aside(
    app: LiteQ, postgres: PostgresServer, connection: Any
) -> None:
    result = None
    with app.transaction(connection):
        for n, text in enumerate(["", "[]", "[[],[],[],null]", "\x01"]):
            row = (f"0{n}", "shop", 0.0, text)
            connection.execute("insert into liteq_outbox values (%s, %s, %s, %s)", row)
    connection.execute("select 1")
    result = app.tasks["receipt"].apply_async((1,), connection=connection)
    connection.commit()
    with app.Worker(pool="threads", concurrency=1):
        assert result.get(timeout=20) == "receipt 1"
        wait_for(lambda: len(outbox(postgres)) == 4 and all(outbox(postgres)))


# once


@pytest.fixture
def worker(app: LiteQ) -> Iterator[Any]:
    with app.Worker(pool="threads", concurrency=2) as worker:
        yield worker


def test_what_was_done_once_is_not_done_again(
    app: LiteQ, postgres: PostgresServer, worker: Any
) -> None:
    runs: list[int] = []

    @app.task(bind=True)
    def book(self: Any, id: int) -> None:
        runs.append(id)
        with closing(postgres.connect()) as connection:
            with self.once(connection) as tx:
                insert(connection, id)
                app.tasks["receipt"].delay(id)
                tx.result = ("kept", id)
            if self.request.retries < 1:
                raise self.retry(countdown=0)

    assert book.delay(1).get(timeout=20) == ["kept", 1]
    assert runs == [1, 1]
    assert orders(postgres) == [1]
    wait_for(lambda: len([job for job in app.jobs.list() if job.task == "receipt"]) == 1)


def test_it_commits_what_a_statement_has_begun(
    app: LiteQ, postgres: PostgresServer, worker: Any
) -> None:
    @app.task(bind=True)
    def book(self: Any, *, fails: bool) -> None:
        with closing(postgres.connect()) as connection:
            connection.execute("select count(*) from orders").fetchall()
            with self.once(connection) as tx:
                insert(connection, 1)
                tx.result = "done"
                if fails:
                    raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        book.delay(fails=True).get(timeout=20)
    assert orders(postgres) == []
    assert book.delay(fails=False).get(timeout=20) == "done"
    assert orders(postgres) == [1]


def test_a_commit_inside_the_block_does_not_go_unnoticed(
    app: LiteQ, postgres: PostgresServer, worker: Any
) -> None:
    @app.task(bind=True)
    def book(self: Any) -> None:
        with closing(postgres.connect()) as connection, self.once(connection):
            insert(connection, 1)
            connection.commit()
            insert(connection, 2)

    with pytest.raises(TransactionError, match="Leave the commit to the block"):
        book.delay().get(timeout=20)
    assert orders(postgres) == [1]


def test_a_library_that_forbids_a_commit_is_told(
    app: LiteQ, postgres: PostgresServer, worker: Any
) -> None:
    """Nothing is done then: neither here nor when the context of the library ends."""

    @app.task(bind=True)
    def book(self: Any) -> None:
        connection = postgres.connect()
        with closing(connection), connection.transaction(), self.once(connection):
            insert(connection, 1)

    error = book.delay().get(timeout=20, propagate=False)
    assert "commit() forbidden" in str(error)
    assert orders(postgres) == []


@pytest.mark.parametrize("library", [False, True])
def test_two_runs_at_once_do_it_once(
    app: LiteQ, postgres: PostgresServer, tmp_path: Path, *, library: bool
) -> None:
    """So it is when a worker is held to be dead, and goes on: here a second store plays it."""
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(postgres.url)
    both = threading.Barrier(2)
    runs: list[str] = []

    def book(self: Any) -> None:
        runs.append(self.app.main)
        with engine.connect() if library else closing(postgres.connect()) as given:
            begun = given.begin() if library else nullcontext()
            with begun, self.once(given) as tx:
                statement = "insert into orders values (1)"
                given.execute(sqlalchemy.text(statement) if library else statement)
                tx.result = self.app.main
                if len(runs) < 3:
                    both.wait(20)

    url = f"sqlite:///{tmp_path / 'other.db'}"
    with LiteQ("other", broker=url, set_as_current=False) as other, ExitStack() as stack:
        results = []
        for each in (app, other):
            task = each.task(bind=True, name="book")(book)
            stack.enter_context(each.Worker(pool="threads", concurrency=1))
            results.append(task.apply_async(task_id="order-1"))
        values = {result.get(timeout=20) for result in results}
    engine.dispose()
    assert len(values) == 1
    assert orders(postgres) == [1]
    # In a transaction of others nobody can look for the value: the second one runs once more.
    assert len(runs) == 2 + library


def test_without_its_table_once_says_how_to_make_it(
    app: LiteQ, postgres: PostgresServer, worker: Any
) -> None:
    with closing(postgres.connect(autocommit=True)) as connection:
        connection.execute("drop table liteq_done")

    @app.task(bind=True)
    def book(self: Any) -> None:
        with closing(postgres.connect()) as connection, self.once(connection):
            insert(connection, 1)

    with pytest.raises(TransactionError, match="If it is not there: create table") as caught:
        book.delay().get(timeout=20)
    with closing(postgres.connect(autocommit=True)) as connection:
        connection.execute(str(caught.value).partition("If it is not there: ")[2])
    book.delay().get(timeout=20)
    assert orders(postgres) == [1]


# libraries


@pytest.mark.parametrize("kind", ["session", "connection"])
def test_sqlalchemy(app: LiteQ, postgres: PostgresServer, kind: str, worker: Any) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    engine = sqlalchemy.create_engine(postgres.url)
    add = "insert into orders (id) values ({})"

    @app.task(bind=True)
    def book(self: Any, *, joins: bool) -> None:
        with orm.Session(engine) if kind == "session" else engine.connect() as given:
            if joins:
                given.execute(sqlalchemy.text("select 1"))
            with self.once(given) as tx:
                given.execute(sqlalchemy.text(add.format(7 + joins)))
                tx.result = "done"
            if joins:
                given.commit()

    with orm.Session(engine) if kind == "session" else engine.connect() as given:
        with app.transaction(given):
            given.execute(sqlalchemy.text(add.format(1)))
            result = app.tasks["receipt"].delay(1)
        assert result.get(timeout=20) == "receipt 1"
        with app.transaction(given), suppress(KeyError), given.begin_nested():
            undone = app.tasks["receipt"].delay(2)
            given.execute(sqlalchemy.text(add.format(2)))
            raise KeyError
        assert not undone.exists()
    assert [book.delay(joins=joins).get(timeout=20) for joins in (False, True)] == ["done"] * 2
    assert orders(postgres) == [1, 7, 8]
    engine.dispose()
