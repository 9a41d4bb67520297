"""The outbox: a table in a database of the application, for tasks of a store elsewhere.

A task that is sent in a transaction is a row of it first, which commits or rolls back with the
application's own rows. Then it is relayed to the store, and the row is deleted. Whoever relays may
be killed at any instant: it is relayed again, and the store ignores ids that it knows.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

from ..brokers.base import NO_ANSWERS, Answers, Broker
from ..exceptions import BrokerError, BrokerRefused, InvalidTaskError, TransactionError
from ..model.graph import Graph
from ..model.message import Message, new_id
from ..result.app import App
from . import calls
from .callers import is_sqlite
from .dbapi import execute, sqlite_file

Connect = Callable[[], Any]
"""Opens a connection of the DBAPI to a database with an outbox."""

CatchUp = Callable[[], object]
"""Is called before something is written; see `Caller.catch_up`."""

_CREATE = (
    "create table if not exists liteq_outbox (id varchar(255) primary key, app varchar(255) "
    "not null, at double precision not null, body text not null, failed text)"
)
_LOOK = "select 1 from liteq_outbox where id is null"
_INSERT = "insert into liteq_outbox (id, app, at, body) values (?, ?, ?, ?)"
_LOCK = "delete from liteq_outbox where id is null"
_WAITING = (
    "select id, body from liteq_outbox "
    "where app = ? and failed is null and id is not null order by id"
)
_IS_THERE = "select 1 from liteq_outbox where id = ?"
_DELETE = "delete from liteq_outbox where id = ?"
_SET_ASIDE = "update liteq_outbox set failed = ? where id = ?"


class Outbox:
    """A database with an outbox, to which `connect` opens a connection."""

    batch: int = 200  # rows that are relayed before others get their turn

    def __init__(self, app: App, connect: Connect) -> None:
        self.app: App = app
        self.name: str = app.main or ""  # one table may serve several applications
        self.connect: Connect = connect
        self._kind: tuple[str, str] | None = None  # of its connections, once it is known

    def fits(self, connection: Any) -> bool:
        """Return whether `connection` is to this database, as far as can be told."""
        if self._kind is None:
            # In SQLite the table is made in the transaction: it may hold the lock already.
            own = self._connected() if is_sqlite(connection) else self.opened()
            self._kind = _kind_of(own)
            own.close()
        return self._kind == _kind_of(connection)

    def opened(self) -> Any:
        """Return a new connection; the table is there. Raises what the driver does."""
        connection = self._connected()
        if is_sqlite(connection):
            execute(connection, _CREATE)
            connection.commit()
        elif not _has_table(connection):
            _make_table(connection)
        self._kind = self._kind or _kind_of(connection)  # now: others take it that there is a table
        return connection

    def _connected(self) -> Any:
        connection = self.connect()
        if not all(callable(getattr(connection, name, None)) for name in ("cursor", "commit")):
            raise TransactionError(
                f"{self.connect!r} returned a {type(connection).__name__}: a function that is "
                f"registered with app.outbox() opens a connection of Python's DBAPI"
            )
        return connection

    @property
    def cheap(self) -> bool:
        """Return whether a connection costs next to nothing, so that none is kept."""
        return self._kind is not None and self._kind[0] == "sqlite3"

    def relay(self, connection: Any) -> int:
        """Relay what is waiting, on a connection with no transaction; return how many rows it was.

        A row that can never be relayed is set aside, with the reason. Raises BrokerError when the
        store fails, and what the driver does.
        """
        rows = execute(connection, _WAITING, self.name, most=self.batch)
        connection.commit()
        for id, text in rows:
            try:
                calls.decoded(text).make(self.app.broker)
            except (InvalidTaskError, BrokerRefused) as exc:
                _log_set_aside(id, exc)
                execute(connection, _SET_ASIDE, _ascii(exc), id)
            else:
                execute(connection, _DELETE, id)
            connection.commit()
        return len(rows)


class OutboxOutlet:
    """What tasks are sent to in a transaction on `connection`: its outbox."""

    def __init__(self, outbox: Outbox, connection: Any, catch_up: CatchUp) -> None:
        self._outbox = outbox
        self._connection = connection
        self._catch_up = catch_up
        self._rows: list[tuple[str, calls.Call]] = []

    def prepare(self) -> None:
        """Make sure that the transaction can write, and has the table."""
        if is_sqlite(self._connection):  # for others it was made outside of the transaction
            execute(self._connection, _CREATE)
        execute(self._connection, _LOCK)

    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> Answers:
        """Keep `messages`: they last as the transaction does."""
        for call in calls.Call.of_later(messages):
            self._keep(call)
        return NO_ANSWERS

    def enqueue_or_replace(self, message: Message, sent: float, *, durable: bool = False) -> bool:
        """Keep `message`; return True, as nobody knows yet whether a task of its id is kept."""
        (call,) = calls.Call.of_later((message,), sent)
        self._keep(call)
        return True

    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> Answers:
        """Keep a workflow."""
        self._keep(calls.Call.of_graph(graph))
        return NO_ANSWERS

    def _keep(self, call: calls.Call) -> None:
        id, outbox = new_id(), self._outbox
        row = (id, outbox.name, outbox.app.broker.clock(), calls.encoded(call))
        try:
            self._catch_up()
            execute(self._connection, _INSERT, *row)
        except Exception as exc:
            raise TransactionError(f"the outbox does not take the task: {exc}") from exc
        self._rows.append((id, call))

    def relay_own(self) -> None:
        """Relay what was kept, after the commit and on the same connection.

        What cannot be relayed now is relayed by a worker.
        """
        rows, self._rows = self._rows, []
        try:
            for id, call in rows:
                if not execute(self._connection, _IS_THERE, id):
                    continue  # a savepoint was rolled back, or a worker has been faster
                call.make(self._outbox.app.broker)
                execute(self._connection, _DELETE, id)
                self._connection.commit()
        except BrokerError:
            pass
        except Exception as exc:  # noqa: BLE001 - the tasks are certain all the same
            _log().warning("a task was relayed, but stays in the outbox for now: %s", exc)

    def relay_all(self) -> None:
        """Relay what is committed, on a connection of its own."""
        try:
            connection = self._outbox.opened()
            try:
                self._outbox.relay(connection)
            finally:
                connection.close()
        except BrokerError:
            pass
        except Exception as exc:  # noqa: BLE001 - the tasks are certain all the same
            _log().warning("tasks stay in the outbox for now: %s", exc)


def _has_table(connection: Any) -> bool:
    try:
        execute(connection, _LOOK)
    except Exception:  # noqa: BLE001 - of whichever driver; if it is another one, making it fails, too
        connection.rollback()
        return False
    connection.commit()
    return True


def _make_table(connection: Any) -> None:
    """Make the table, of a database in which perhaps only others may, or do so now."""
    try:
        execute(connection, _CREATE)
        connection.commit()
    except Exception:
        connection.rollback()
        if not _has_table(connection):
            raise


def outbox_for(app: App, connection: Any) -> Outbox | None:
    """Return the registered outbox in the database of `connection`; None if there is none."""
    return next((each for each in app.outboxes if each.fits(connection)), None)


def no_outbox(broker: Broker, connection: Any) -> str:
    """Return why tasks cannot be sent in transactions of `connection`, and what helps."""
    driver, name = _kind_of(connection)
    where = f"the database {name!r} of {driver}" if name else f"a database of {driver}"
    if is_sqlite(connection):
        where = sqlite_file(connection) or "a database in memory"
    return (
        f"the connection is to {where}, and the store of this application is {broker.url}: "
        f"register the database with app.outbox(connect), so that workers relay what is sent "
        f"there, or let the store be in the same SQLite file"
    )


def _kind_of(connection: Any) -> tuple[str, str]:
    """Return what two connections to one database have in common."""
    if is_sqlite(connection):
        file = sqlite_file(connection)
        return "sqlite3", os.path.realpath(file) if file else f"memory {id(connection)}"
    name = getattr(getattr(connection, "info", None), "dbname", "")  # PostgreSQL's drivers tell it
    return type(connection).__module__.partition(".")[0], str(name)


def _ascii(exc: Exception) -> str:
    """Return the text of an error as any column takes it."""
    return str(exc).encode("ascii", "backslashreplace").decode()


def _log_set_aside(id: str, exc: Exception) -> None:
    _log().error("row %s of liteq_outbox is set aside: %s", ascii(id), exc)


def _log() -> Any:
    from logging import getLogger  # takes 10 ms, so programs that only send do without it

    return getLogger("liteq.transactions")
