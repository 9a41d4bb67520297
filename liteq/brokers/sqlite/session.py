"""One thread's connection to the store, and the only place where transactions begin and end."""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from ...exceptions import BrokerGone, BrokerUnavailable, ConfigurationError
from .bells import Ringer, SocketBell
from .errors import is_busy, translate
from .gate import Gate
from .location import Location, prepare
from .schema import ensure_schema
from .tally import Tally

T = TypeVar("T")
Level = Literal["full", "normal"]

PATIENCE = 30.0  # seconds to wait for the write lock
_FOLD_AT = 4 * 2**20  # bytes of log: some 10 ms of work for whoever writes the last of them
_BUSY_MS = 250  # SQLite's own waiting keeps Ctrl-C waiting too, so it is short and we loop
_OLDEST = (3, 35, 0)  # `returning`

_EVERYTIME = f"""
    pragma busy_timeout = {_BUSY_MS};
    pragma wal_autocheckpoint = 0;
    pragma journal_size_limit = 16777216;
    pragma cache_size = -8192;
    pragma temp_store = memory;
    pragma mmap_size = 0;
    pragma trusted_schema = off;
"""


class Session:
    """A connection with its place in the gate. Belongs to one thread of one process."""

    def __init__(self, location: Location) -> None:
        self.path = location.path
        self.pid = os.getpid()
        self.ringer = Ringer()
        self.bell: SocketBell | None = None  # on which this thread waits for results
        self._version: object = None
        prepare(self.path)
        self._gate = Gate(f"{self.path}-gate")
        self._tally = Tally(f"{self.path}-gate")
        with self._translated():
            self.connection = self._open()
        self._level = ""
        self.identity = self._stat()

    def _open(self) -> sqlite3.Connection:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old: liteq needs 3.35 or newer; "
                f"use a newer Python"
            )
        # check_same_thread=False: a thread's session may be closed by another one at exit.
        connection = sqlite3.connect(
            self.path, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=False
        )
        try:
            connection.executescript(_EVERYTIME)
            try:
                self._gate.acquire()
                self._patiently(lambda: ensure_schema(connection, self.path))
            finally:
                self._gate.release()
        except BaseException:
            connection.close()
            raise
        return connection

    def write(self, level: Level, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction: all of it is written, or nothing and it raises.

        At level `full` the commit survives a power cut, at `normal` it survives every kill.
        """
        connection = self.connection
        if level != self._level:
            connection.execute(f"pragma synchronous = {level}")
            self._level = level
        try:
            self._gate.acquire()  # in here, so that a Ctrl-C at any instant leaves it open again
            self._begin(connection)
            before = connection.total_changes
            value = work(connection)
            connection.execute("commit")
            if self._tally.add(connection.total_changes - before) > _FOLD_AT:
                self._fold()
        except BaseException as exc:
            # A full disk has rolled back already, and a second time would be an error.
            if connection.in_transaction:
                connection.execute("rollback")
            if isinstance(exc, sqlite3.Error):
                raise translate(exc, self.path) from exc
            raise
        finally:
            self._gate.release()
        return value

    def read(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query. Never leaves a read transaction open behind it."""
        with self._translated():
            return self.connection.execute(sql, values).fetchall()

    def stirred(self) -> bool:
        """Whether another connection has written since this was asked last (5 us)."""
        ((version,),) = self.read("pragma data_version")
        changed, self._version = version != self._version, version
        return bool(changed)

    def _fold(self) -> None:
        """Move the log into the file, so that it is written over from its start again.

        Under the gate and with RESTART, which takes the write lock: a passive checkpoint beside
        a commit can corrupt the file in SQLite before 3.51.3 (the WAL-reset bug). The log keeps
        its size: to write over it costs half of what letting it grow does.

        Never raises: the commit before it stands, and whoever claimed by it must hear what. A
        disk that does not mend is told of by the next commit.
        """
        # Not a moment is spent waiting for somebody who reads: everybody else waits for us.
        self.connection.execute("pragma busy_timeout = 0")
        try:
            ((busy, _, _),) = self.connection.execute("pragma wal_checkpoint(restart)").fetchall()
        except sqlite3.Error:
            busy = 1
        finally:
            self.connection.execute(f"pragma busy_timeout = {_BUSY_MS}")
        self._tally.set(_FOLD_AT // 2 if busy else 0)

    def checkpoint(self) -> None:
        """Move the log into the file and cut it to nothing."""
        with self._translated():
            try:
                self._gate.acquire()
                self.connection.execute("pragma wal_checkpoint(truncate)").fetchall()
                self._tally.set(0)
            finally:
                self._gate.release()

    def log_size(self) -> int:
        """Bytes in the write-ahead log."""
        try:
            return os.stat(f"{self.path}-wal").st_size
        except OSError:
            return 0

    def check_identity(self) -> None:
        """Raise BrokerGone when the file is no longer the one that was opened."""
        if self._stat() != self.identity:
            raise BrokerGone(
                f"{self.path} was deleted or replaced while it was in use; what was in it is "
                f"gone with it: stop the worker, put the file back, start again"
            )

    def close(self) -> None:
        """Close the connection. Never call it in a forked child: see `SqliteBroker`."""
        if self.bell is not None:
            self.bell.close()  # it writes, so it goes before the connection
        self.connection.close()
        self._gate.close()
        self._tally.close()
        self.ringer.close()

    def _stat(self) -> tuple[int, int]:
        try:
            found = os.stat(self.path)
        except OSError:
            return (0, 0)
        return found.st_dev, found.st_ino

    def _begin(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError as exc:
            if not is_busy(exc):
                raise
            self._patiently(lambda: connection.execute("begin immediate"))

    def _patiently(self, work: Callable[[], T]) -> T:
        """Try until the lock is free. The pause is random, so that two never stay in step."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return work()
            except sqlite3.OperationalError as exc:
                if not is_busy(exc):
                    raise
                if time.monotonic() > deadline:
                    raise BrokerUnavailable(
                        f"{self.path} stayed locked for {PATIENCE:.0f} s: another program holds "
                        f"a transaction open on it"
                    ) from exc
            time.sleep(random.uniform(0.0002, 0.002))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise translate(exc, self.path) from exc
