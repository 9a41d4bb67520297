"""SQLite's connection to the file: opened when it is needed, closed before a fork."""

import os
import sqlite3
from threading import Lock, get_ident

from ...exceptions import BrokerGone, BrokerUnavailable, ConfigurationError
from . import forks

BUSY_MS = 250  # SQLite's own waiting keeps Ctrl-C waiting too, so it is short and we loop
_MIN_VERSION = (3, 35, 0)  # `returning`

_PRAGMAS = f"""
    pragma busy_timeout = {BUSY_MS};
    pragma wal_autocheckpoint = 0;
    pragma journal_size_limit = 16777216;
    pragma cache_size = -8192;
    pragma temp_store = memory;
    pragma mmap_size = 0;
    pragma trusted_schema = off;
"""


# Connections of the parent process by file, each in a transaction. They are never closed: that
# would roll back in memory which is shared with the parent.
_inherited: dict[str, sqlite3.Connection] = {}


class Handle(forks.ForkAware):
    """One thread's way to the file at `path`. Raises ConfigurationError for an old SQLite."""

    def __init__(self, path: str) -> None:
        if sqlite3.sqlite_version_info < _MIN_VERSION:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old: liteq needs 3.35 or newer; "
                f"use a newer Python"
            )
        self.path = path
        self.in_use = Lock()  # held by whoever uses `db()`, for as long as that must not be closed
        self._thread = get_ident()
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._synchronous = ""
        forks.register(self)

    def db(self) -> sqlite3.Connection:
        """The connection. Under `in_use` only. Raises sqlite3.Error, BrokerGone."""
        return self._db or self._open()

    def db_at(self, synchronous: str) -> sqlite3.Connection:
        """The connection, with `pragma synchronous` as said."""
        db = self.db()
        if synchronous != self._synchronous:
            db.execute(f"pragma synchronous = {synchronous}")
            self._synchronous = synchronous
        return db

    def check(self) -> None:
        """Raise BrokerGone when the file is no longer the one that was opened (1 us).

        What is written to a file that has no name any more is lost, and SQLite does not mind.
        """
        if self._identity is not None and self._identity != self._stat():
            raise BrokerGone(
                f"{self.path} was deleted or replaced while it was in use; what was in it is "
                f"gone with it: stop the program, put the file back, start again"
            )

    def close(self) -> None:
        """Close the connection, whoever opened it. It is opened again when it is asked for."""
        with self.in_use:
            self._close()

    def _open(self) -> sqlite3.Connection:
        self.check()
        if self.path in _inherited:
            raise BrokerUnavailable(
                f"{self.path} cannot be used in this process: it was forked while another thread "
                f"was in a long transaction; start it with the spawn method, or fork earlier"
            )
        with forks.opening:
            # check_same_thread=False: a thread's session may be closed by another one at exit.
            db = sqlite3.connect(
                self.path, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=False
            )
            self._db = db
        try:
            db.executescript(_PRAGMAS)
        except BaseException:
            self._close()
            raise
        self._identity = self._stat()
        return db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db, self._synchronous = None, ""

    def _stat(self) -> tuple[int, int]:
        try:
            found = os.stat(self.path)
        except OSError:
            return (0, 0)
        return found.st_dev, found.st_ino

    # see forks.py

    def before_fork(self) -> bool:
        if self._db is None:
            return False
        # A fork by whoever is in the transaction cannot wait for its end.
        timeout = 0.0 if self._thread == get_ident() else forks.MAX_WAIT
        if not self.in_use.acquire(timeout=timeout):
            return False
        self._close()
        return True

    def after_fork_in_parent(self) -> None:
        self.in_use.release()

    def after_fork_in_child(self) -> None:
        if self._db is not None:
            _inherited[self.path] = self._db
