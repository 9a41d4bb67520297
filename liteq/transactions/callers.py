"""Connections of the application, of whichever library: how their transactions begin and end.

They are told by the modules of their classes, and nothing is imported for them.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal
from weakref import WeakKeyDictionary

from ..exceptions import TransactionError

_NO_CONNECTION = (
    "{} is no database connection: pass a sqlite3.Connection or another one of Python's DBAPI, "
    "a Session or Connection of SQLAlchemy, or the `connection` of django.db"
)
_AUTOCOMMIT = (
    "{} is in autocommit mode, where nothing is part of a transaction: switch it off for this "
    "connection"
)

Call = Callable[[], object]

Seen = Literal["never", "before", "after"]
"""When it is seen that a transaction is committed which the application ends."""


class Caller(ABC):
    """A connection, as the application has it in hand."""

    keeps_connection: bool = False  # its connection of the DBAPI is the same after the commit

    @property
    def commits_seen(self) -> Seen:
        """Return when `on_commit` calls."""
        return "never"

    @property
    def always_open(self) -> bool:
        """Return whether it is in a transaction at all times, which nobody has begun.

        So Python's DBAPI has it. Whoever has something to keep calls `commit`.
        """
        return False

    def __init__(self, given: Any) -> None:
        self.given: Any = given

    @property
    @abstractmethod
    def dbapi(self) -> Any:
        """Return the connection of Python's DBAPI in it. It may begin a transaction."""

    @abstractmethod
    def in_transaction(self) -> bool:
        """Return whether the application has a transaction open, which it ends itself."""

    @abstractmethod
    def begin(self) -> None:
        """Begin a transaction, as far as the library does so before the first statement."""

    @abstractmethod
    def commit(self) -> None:
        """End the transaction that was begun."""

    @abstractmethod
    def rollback(self) -> None:
        """Undo the transaction that was begun."""

    def on_commit(self, call: Call) -> None:
        """Call `call` when the open transaction is committed, as `commits_seen` says."""

    def catch_up(self) -> None:
        """Begin what the library has begun, but begins in the database at a statement only."""


class _Sqlite(Caller):
    """A `sqlite3.Connection`."""

    keeps_connection: bool = True

    @property
    def always_open(self) -> bool:
        return getattr(self.given, "autocommit", -1) is False  # Python 3.12 has that mode

    @property
    def dbapi(self) -> Any:
        return self.given

    def in_transaction(self) -> bool:
        return bool(self.given.in_transaction)

    def begin(self) -> None:
        pass

    def commit(self) -> None:
        self._end("commit")

    def rollback(self) -> None:
        self._end("rollback")

    def _end(self, how: str) -> None:
        if self.always_open:
            getattr(self.given, how)()  # which begins the next one
        elif self.given.in_transaction:
            # Not its method, which does nothing when it is in autocommit mode.
            self.given.execute(how)


class _Dbapi(Caller):
    """Another connection of the DBAPI. It is always in a transaction, by that standard.

    Some drivers tell whether there is one.
    """

    keeps_connection: bool = True

    @property
    def always_open(self) -> bool:
        return True

    @property
    def dbapi(self) -> Any:
        return self.given

    def in_transaction(self) -> bool:
        status = transaction_status(self.given)
        if not status and getattr(self.given, "autocommit", False) is True:
            raise TransactionError(_AUTOCOMMIT.format(_shown(self.given)))
        return status != 0

    def begin(self) -> None:
        pass

    def commit(self) -> None:
        self.given.commit()

    def rollback(self) -> None:
        self.given.rollback()


class _SqlAlchemy(Caller):
    """A Session or a Connection of SQLAlchemy."""

    def __init__(self, given: Any) -> None:
        if type(given).__name__ == "scoped_session":
            given = given()
        super().__init__(given)
        if not hasattr(given, "in_transaction") or hasattr(given, "run_sync"):
            raise TransactionError(
                f"{_shown(given)} cannot be used: pass a Session or a Connection; within an "
                f"AsyncSession, call `await session.run_sync(...)` with the code that sends"
            )
        self._is_session = callable(given.connection)
        self._begun: Any = None

    @property
    def dbapi(self) -> Any:
        connection = self.given.connection() if self._is_session else self.given
        dbapi = connection.connection.dbapi_connection
        if is_sqlite(dbapi) and not dbapi.in_transaction and _commits_itself(dbapi):
            raise TransactionError(_AUTOCOMMIT.format(_shown(self.given)))
        return dbapi

    def in_transaction(self) -> bool:
        return bool(self.given.in_transaction())

    def begin(self) -> None:
        self._begun = self.given.begin()

    def commit(self) -> None:
        self._begun.commit()

    def rollback(self) -> None:
        self._begun.rollback()

    @property
    def commits_seen(self) -> Seen:
        return "after" if self._is_session else "before"

    def on_commit(self, call: Call) -> None:
        events = ("after_commit", "after_rollback") if self._is_session else ("commit", "rollback")
        _pending_of(self.given, *events).append(call)

    def catch_up(self) -> None:
        if self._is_session:
            self.given.connection()  # a session makes the savepoint of `begin_nested` only then


_pending: WeakKeyDictionary[Any, list[Call]] = WeakKeyDictionary()
"""What is to be called after the transactions of sessions and connections of SQLAlchemy."""


def _pending_of(target: Any, committed: str, rolled_back: str) -> list[Call]:
    if target not in _pending:
        calls = _pending[target] = []
        listen = sys.modules["sqlalchemy"].event.listen  # of whoever made `target`

        def call_all(ended: Any) -> None:
            if ended.in_nested_transaction():  # only a savepoint was released
                return
            waiting = calls[:]
            calls.clear()
            for each in waiting:
                each()

        listen(target, committed, call_all)
        listen(target, rolled_back, lambda _: calls.clear())
    return _pending[target]


class _Django(Caller):
    """The `connection` of django.db, or one of its `connections`."""

    @property
    def commits_seen(self) -> Seen:
        return "after"

    @property
    def dbapi(self) -> Any:
        self.given.ensure_connection()
        return self.given.connection

    def in_transaction(self) -> bool:
        return bool(self.given.in_atomic_block)

    def begin(self) -> None:
        self._atomic = sys.modules["django.db.transaction"].atomic(using=self.given.alias)
        self._atomic.__enter__()

    def commit(self) -> None:
        self._atomic.__exit__(None, None, None)

    def rollback(self) -> None:
        self.given.set_rollback(True)
        self._atomic.__exit__(None, None, None)

    def on_commit(self, call: Call) -> None:
        self.given.on_commit(call)


_LIBRARIES: dict[str, type[Caller]] = {
    "sqlite3": _Sqlite,
    "sqlalchemy": _SqlAlchemy,
    "django": _Django,
}


def caller_of(given: Any) -> Caller:
    """Return the connection `given`. Raises TransactionError if it is none."""
    for base in type(given).__mro__:
        kind = _LIBRARIES.get(base.__module__.partition(".")[0])
        if kind is not None:
            return kind(given)
    if not all(callable(getattr(given, name, None)) for name in ("cursor", "commit", "rollback")):
        raise TransactionError(_NO_CONNECTION.format(_shown(given)))
    return _Dbapi(given)


def is_sqlite(dbapi: Any) -> bool:
    """Return whether `dbapi` is a connection of Python's own sqlite3."""
    return any(base.__module__ == "sqlite3" for base in type(dbapi).__mro__)


def transaction_status(dbapi: Any) -> int | None:
    """Return 0 if `dbapi` is in no transaction, another number if it is; None if it cannot tell.

    The drivers of PostgreSQL do.
    """
    status = getattr(getattr(dbapi, "info", None), "transaction_status", None)
    return int(status) if isinstance(status, int) else None


def _commits_itself(dbapi: Any) -> bool:
    """Return whether SQLAlchemy has put a connection of sqlite3 in autocommit mode."""
    autocommit = getattr(dbapi, "autocommit", -1)  # -1: as before Python 3.12
    return autocommit is True or (autocommit == -1 and dbapi.isolation_level is None)


def _shown(given: object) -> str:
    return f"the {type(given).__module__}.{type(given).__name__}"
