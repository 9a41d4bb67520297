"""Guests: sessions on a connection of the application, in whose transaction they write."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from threading import get_ident
from typing import Any, NoReturn, TypeVar

from ...exceptions import LiteqError, TransactionError
from ..guests import Guest, Host
from .errors import REFUSED, code_of, is_busy, occupied, refused
from .idleworkers import IdleWorkers
from .location import SqliteLocation
from .lockholder import describe_other_program
from .logfiles import identity
from .session import LOCK_TIMEOUT, Session, WriteOptions
from .sessions import LentSession, ThreadSessions
from .sockets import SocketListener
from .waits import Waits

T = TypeVar("T")

_FILES = "pragma database_list"  # not a query, which would open a transaction for reading
# A statement that changes no row: SQLite takes the lock of a writer all the same.
_LOCK = "delete from liteq_meta where name is null"


@contextmanager
def as_ours(db: sqlite3.Connection) -> Iterator[None]:
    """Read rows and texts as they are, whatever the application makes of its own."""
    theirs = db.row_factory, db.text_factory
    db.row_factory, db.text_factory = None, str
    try:
        yield
    finally:
        db.row_factory, db.text_factory = theirs


def _is_open(db: sqlite3.Connection) -> bool:
    """Return whether `db` is in a transaction."""
    try:
        return db.in_transaction
    except sqlite3.Error:  # it is closed
        return False


class SqliteHost(Host):
    """A broker in a file, to which the application may be connected as well."""

    location: SqliteLocation
    _sessions: ThreadSessions

    def guest(self, connection: object) -> Guest | None:
        if not isinstance(connection, sqlite3.Connection):
            return None
        with as_ours(connection):
            rows = connection.execute(_FILES).fetchall()
        file = next(file for _, name, file in rows if name == "main")
        path = self.location.path
        if not file or identity(file) != identity(path) or not os.path.exists(path):
            return None
        return GuestSession(self._sessions, connection)


class GuestSession(LentSession, Guest):
    """A session that reads and writes on a connection of the application, in its transaction.

    It is entered in one thread. What only makes sense on a connection of liteq's own is refused.
    """

    put_off: list[Callable[[Session], object]]

    def __init__(self, sessions: ThreadSessions, db: sqlite3.Connection) -> None:
        # Not that of `Session`: there is nothing to open.
        self.sessions: ThreadSessions = sessions
        outer = sessions.current()
        self._outer = outer if isinstance(outer, GuestSession) else None  # whose block it is in
        self._own: Session = outer if self._outer is None else self._outer._own
        self.path: str = self._own.path
        self.pid: int = os.getpid()
        self.listener: SocketListener | None = None
        self._db = db
        self._thread = get_ident()
        self._entered = self._holds = False
        self._before = 0  # changed rows on the connection
        self.put_off = []
        self._catch_up: Callable[[], object]
        self.idle: IdleWorkers = self._own.idle
        self.waits: Waits = self._own.waits

    # the transaction

    def enter(self, *, hold: bool, catch_up: Callable[[], object]) -> None:
        self._catch_up = catch_up
        self.rolled_back = False
        self._before = self._db.total_changes
        if self._outer is not None and self._outer._db is not self._db:
            raise TransactionError(
                f"{self.path} is in a transaction of this thread by another connection, which must "
                f"end first: use that connection here, too"
            )
        if self._outer is None and self._own.is_lent:
            raise occupied(self.path)
        if self._db.in_transaction:
            self._upgrade()
        else:
            self._own.lock_for_guest(LOCK_TIMEOUT)
            try:
                begin = partial(self._db.execute, "begin immediate")
                self._own.begin_guest(begin, LOCK_TIMEOUT)
                self._db.execute(_LOCK)  # a connection that can only read has begun all the same
            except sqlite3.Error as exc:
                self._own.unlock_after_guest(0)
                raise self._cannot_begin(exc) from exc
            except BaseException:
                self._own.unlock_after_guest(0)
                raise
            self._holds = hold
            if not hold:  # it was for its place in the queue only
                self._own.unlock_after_guest(0)
        self._entered = True
        self._own.is_lent = True
        self.sessions.lend(self)

    def _upgrade(self) -> None:
        """Make sure that the open transaction can write."""
        try:
            self._db.execute(_LOCK)
        except sqlite3.Error as exc:
            if not is_busy(exc):
                raise self._cannot_begin(exc) from exc
            if exc.sqlite_errorcode == sqlite3.SQLITE_BUSY_SNAPSHOT:
                raise TransactionError(
                    f"the transaction on {self.path} has read what another one has changed since, "
                    f"so SQLite does not let it write: roll it back, and begin it with `begin "
                    f"immediate`, or as `with app.transaction(connection):`"
                ) from exc
            holder = describe_other_program(self.path)
            raise self._own.locked_error(0.0, holder) from exc

    def _cannot_begin(self, exc: sqlite3.Error) -> LiteqError:
        if code_of(exc) == sqlite3.SQLITE_READONLY:  # liteq's own connection can write
            return TransactionError(
                f"this connection to {self.path} can only read (`mode=ro` in its URL, or `pragma "
                f"query_only`): use another one"
            )
        return self._own.translate(exc)

    def leave(self) -> None:
        if not self._entered:
            return
        self._entered = False
        self._own.is_lent = self._outer is not None
        self.sessions.take_back(self)
        rows = self._changed_rows()
        if self._holds:
            self._own.unlock_after_guest(rows)
        elif self._outer is None:  # others may hold the lock: it is an estimate anyway
            self._own.count_guest(rows)

    def _changed_rows(self) -> int:
        try:
            return self._db.total_changes - self._before
        except sqlite3.Error:  # it was closed
            return 0

    def notify(self) -> None:
        calls, self.put_off = self.put_off, []
        for call in calls:
            call(self._own)

    # what a session does

    @property
    def entered(self) -> bool:
        """Return whether it is in use. Raises TransactionError in another thread."""
        if not self._entered or self.pid != os.getpid():  # a forked child is not in the block
            return False
        if self._thread != get_ident():
            raise TransactionError(
                f"the transaction on {self.path} belongs to another thread: send there, or outside "
                f"of its block"
            )
        return True

    def write(self, options: WriteOptions, work: Callable[[sqlite3.Connection], T]) -> T:
        self._catch_up()
        if not _is_open(self._db):
            raise TransactionError(
                f"the transaction on {self.path} has ended, so this would not be part of it: do "
                f"not commit, roll back or close inside the block (`executescript` commits, too, "
                f"and so does the `with` statement of a connection)"
            )
        try:
            with as_ours(self._db), self._savepoint():
                return work(self._db)
        except sqlite3.Error as exc:
            raise self._own.translate(exc) from exc
        except REFUSED as exc:
            raise refused(exc, self.path) from exc

    def read(
        self,
        sql: str,
        values: tuple[object, ...] | Mapping[str, object] = (),
        timeout: float = LOCK_TIMEOUT,
    ) -> list[tuple[Any, ...]]:
        try:
            with as_ours(self._db):
                return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as exc:
            raise self._own.translate(exc) from exc

    def notify_workers(self) -> None:
        self.put_off.append(Session.notify_workers)

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        """Undo all of this block if it fails, and nothing that was done before it."""
        self._db.execute("savepoint liteq")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback to liteq")
                self._db.execute("release liteq")
            else:  # some errors roll all of it back
                self.rolled_back: bool = True
            raise
        self._db.execute("release liteq")

    # what it does not

    def changed(self) -> bool:
        return True

    def checkpoint(self) -> bool:
        return False

    def checkpoint_when_quiet(self) -> None:
        pass

    def restart_log(self) -> None:
        pass

    def begin_rescue(self, every: float) -> bool:
        return self._own.begin_rescue(every)

    def check_identity(self) -> None:
        self._own.check_identity()

    def vacuum(self) -> None:
        self._refuse()

    def copy_to(self, target: sqlite3.Connection) -> None:
        self._refuse()

    def close(self) -> None:
        self.leave()

    def _refuse(self) -> NoReturn:
        raise TransactionError(f"{self.path} is in a transaction of this thread: end it before")
