"""Connections of SQLAlchemy and of Django."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq.exceptions import TransactionError

from .shop import IdleWorker, Shop

sqlalchemy = pytest.importorskip("sqlalchemy")
orm = pytest.importorskip("sqlalchemy.orm")

INSERT = "insert into orders (id) values (1)"


@pytest.fixture
def engine(shop: Shop) -> Iterator[Any]:
    engine = sqlalchemy.create_engine(f"sqlite:///{shop.path}")
    yield engine
    engine.dispose()


@pytest.fixture(params=["session", "connection", "scoped"])
def given(engine: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Yield a Session or a Connection."""
    makers = {
        "session": lambda: orm.Session(engine),
        "connection": engine.connect,
        "scoped": lambda: orm.scoped_session(orm.sessionmaker(engine)),
    }
    made = makers[request.param]()
    yield made
    made.close()


def insert(given: Any) -> None:
    given.execute(sqlalchemy.text(INSERT))


def test_the_block_begins_and_commits(shop: Shop, given: Any) -> None:
    with closing(IdleWorker(shop)) as worker:
        worker.rest()
        with shop.app.transaction(given):
            insert(given)
            shop.receipt.delay(1)
            assert shop.orders() == []
        assert worker.wait(5.0)
    assert (shop.orders(), len(shop.sent())) == ([1], 1)


def test_the_block_rolls_back(shop: Shop, given: Any) -> None:
    with pytest.raises(KeyError), shop.app.transaction(given):
        insert(given)
        shop.receipt.delay(1)
        raise KeyError
    assert (shop.orders(), shop.sent()) == ([], [])

    with shop.app.transaction(given):  # and it can be used again
        insert(given)
    assert shop.orders() == [1]


@pytest.mark.parametrize("first", ["select", "insert"])
def test_an_open_transaction_is_ended_by_its_owner(shop: Shop, given: Any, first: str) -> None:
    """SQLAlchemy begins one at any statement, but what it begins on SQLite is nothing so far."""
    with closing(IdleWorker(shop)) as worker:
        for end in ("rollback", "commit"):
            worker.rest()
            given.execute(sqlalchemy.text("select 1"))
            if first == "insert":
                insert(given)
            with shop.app.transaction(given):
                if first != "insert":
                    insert(given)
                shop.receipt.delay(1)
            assert not worker.wait(0.0)
            assert (shop.orders(), shop.sent()) == ([], [])
            getattr(given, end)()
            assert worker.wait(5.0 if end == "commit" else 0.0) == (end == "commit")
    assert (shop.orders(), len(shop.sent())) == ([1], 1)


def test_objects_of_the_session_are_part_of_it(shop: Shop, engine: Any) -> None:
    base: Any = orm.declarative_base()

    class Order(base):  # type: ignore[misc]
        __tablename__ = "orders"
        id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)

    with orm.Session(engine) as session, shop.app.transaction(session):
        session.add(Order(id=7))
        shop.receipt.delay(7)
    assert (shop.orders(), len(shop.sent())) == ([7], 1)

    with orm.Session(engine) as session:
        again = pytest.raises(sqlalchemy.exc.IntegrityError)
        with again, shop.app.transaction(session):
            session.add(Order(id=7))
            shop.receipt.delay(7)
    assert len(shop.sent()) == 1


def test_a_call_takes_a_session(shop: Shop, given: Any) -> None:
    given.execute(sqlalchemy.text("select 1"))
    shop.receipt.apply_async((1,), connection=given)
    assert shop.sent() == []
    given.commit()
    assert len(shop.sent()) == 1


def test_autocommit_is_refused(shop: Shop) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{shop.path}", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, orm.Session(engine) as session:
        for given in (connection, session):
            refused = pytest.raises(TransactionError, match="autocommit mode")
            with refused, shop.app.transaction(given):
                pass
    engine.dispose()
    assert shop.sent() == []


def test_a_task_completes_in_a_session(shop: Shop, engine: Any) -> None:
    @shop.app.task(bind=True)
    def order(self: Any) -> None:
        with orm.Session(engine) as session, self.commit(session) as tx:
            insert(session)
            tx.result = "done"

    with shop.app.Worker(pool="threads", concurrency=1):
        assert order.delay().get(timeout=20) == "done"
    assert shop.orders() == [1]


def test_an_engine_is_no_connection(shop: Shop, engine: Any) -> None:
    with pytest.raises(TransactionError, match="Session or a Connection"):
        shop.app.transaction(engine).__enter__()


def test_an_outbox_takes_a_session(shop: Shop, engine: Any, tmp_path: Path) -> None:
    from liteq import LiteQ

    app = LiteQ("o", broker=f"sqlite:///{tmp_path / 'queue.db'}", set_as_current=False)
    app.outbox(lambda: sqlite3.connect(shop.path))
    with app, orm.Session(engine) as session:
        with app.transaction(session):
            insert(session)
            first = app.send_task("t")
        assert first.exists()
        session.execute(sqlalchemy.text("select 1"))
        with app.transaction(session):
            second = app.send_task("t")
        assert not second.exists()
        session.commit()
        assert second.exists()
    assert shop.connection.execute("select count(*) from liteq_outbox").fetchall() == [(0,)]


DJANGO = """
import sys
from django.conf import settings
path = sys.argv[1]
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path}},
    INSTALLED_APPS=[],
)
import django
django.setup()
from django.db import connection, transaction
from liteq import LiteQ
from liteq.brokers.base import Claim
from liteq.exceptions import TransactionError

app = LiteQ("shop", broker=f"sqlite:///{path}")
app.broker.counts()

def insert(n):
    with connection.cursor() as cursor:
        cursor.execute("insert into orders (id) values (%s)", [n])

def count():
    with connection.cursor() as cursor:
        cursor.execute("select (select count(*) from orders), (select count(*) from liteq_task)")
        return tuple(cursor.fetchone())

with app.transaction(connection):
    insert(1)
    app.send_task("t")
assert count() == (1, 1), count()
try:
    with app.transaction(connection):
        insert(2)
        app.send_task("t")
        raise KeyError
except KeyError:
    pass
assert count() == (1, 1), count()

worker = app.broker.register("idle", "{}")
listener = app.broker.work_listener(worker)
while app.broker.claim(Claim(worker, ("celery",), 100)):
    pass
listener.clear()
with transaction.atomic():
    insert(3)
    app.send_task("t", connection=connection)
    assert not listener.wait(0.0)
assert count() == (2, 2), count()
assert listener.wait(5.0)
try:
    with transaction.atomic():
        with app.transaction(connection):
            insert(4)
            app.send_task("t")
        raise KeyError
except KeyError:
    pass
assert count() == (2, 2), count()
try:
    app.send_task("t", connection=connection)
except TransactionError as exc:
    assert "begin it before" in str(exc)
else:
    raise AssertionError
assert count() == (2, 2), count()
listener.close()

@app.task(bind=True)
def book(self, n, how):
    if how == "alone":
        with self.once(connection) as tx:
            insert(n)
            tx.result = n
    else:
        with transaction.atomic():
            with self.once(connection) as tx:
                insert(n)
                tx.result = n
            transaction.set_rollback(how == "undone")

assert book.apply((5, "alone")).get() == 5
assert book.apply((6, "atomic")).get() == 6
error = book.apply((7, "undone")).result
assert isinstance(error, TransactionError) and "was not committed" in str(error), error
assert count() == (4, 2), count()
"""


def test_an_atomic_block_of_django_takes_part(shop: Shop, tmp_path: Path) -> None:
    pytest.importorskip("django")
    script = tmp_path / "program.py"
    script.write_text(DJANGO)
    done = subprocess.run(
        [sys.executable, str(script), str(shop.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
