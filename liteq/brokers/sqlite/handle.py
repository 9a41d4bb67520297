"""SQLite's connection to the file: opened on use, and closed before a fork."""

import sqlite3
import time
from contextlib import closing
from threading import Lock, get_ident

from ...exceptions import BrokerGone, BrokerUnavailable, ConfigurationError
from . import forks
from .logfiles import Identity, LogFiles, identity

BUSY_MS = 250  # milliseconds; a Ctrl-C has to wait for SQLite's own waiting, so ours is a loop
_MIN_VERSION = (3, 35, 0)  # for `returning`
_LOOK_EVERY = 0.05  # seconds between two looks at the log: each costs 2 us, a write 20
_JSON_BUILT_IN = (3, 38, 0)  # before it the JSON functions could be left out

_PRAGMAS = f"""
    pragma busy_timeout = {BUSY_MS};
    pragma wal_autocheckpoint = 0;
    pragma journal_size_limit = 16777216;
    pragma cache_size = -2048;
    pragma temp_store = memory;
    pragma mmap_size = 0;
    pragma trusted_schema = off;
"""


# Connections of the parent process by file, each in a transaction. They are never closed: that
# would roll back in memory that is shared with the parent.
_inherited: dict[str, sqlite3.Connection] = {}


class Handle(forks.ForkAware):
    """The connection of one thread to the file at `path`.

    Raises ConfigurationError when SQLite is too old.
    """

    def __init__(self, path: str) -> None:
        _check_sqlite()
        self.path = path
        self.in_use: Lock = Lock()  # held while `db()` is used, so that it is not closed meanwhile
        self._thread = get_ident()
        self._db: sqlite3.Connection | None = None
        self._identity: Identity | None = None
        self._log = LogFiles(path)
        self._look_at = 0.0  # `time.monotonic`
        self._synchronous = ""
        self._lenient = False
        forks.register(self)

    def db(self) -> sqlite3.Connection:
        """Return the connection. To be called while holding `in_use`.

        Raises sqlite3.Error; BrokerGone when the file was replaced; BrokerUnavailable in a child
        that was forked in the middle of a transaction.
        """
        return self._db or self._open()

    def db_at(self, synchronous: str) -> sqlite3.Connection:
        """Return the connection, with `pragma synchronous` set."""
        db = self.db()
        if synchronous != self._synchronous:
            db.execute(f"pragma synchronous = {synchronous}")
            self._synchronous = synchronous
        return db

    def be_lenient(self) -> bool:
        """Read text that is not UTF-8 as bytes from now on; return False if that is so already.

        Only another program can have written such text. Without it `sqlite3` raises an error for
        the whole query. It takes 0.1 us a text, so it is done only once such text was met.
        """
        before, self._lenient = self._lenient, True
        if self._db is not None:
            self._db.text_factory = _text_or_bytes
        return not before

    def check(self) -> None:
        """Raise BrokerGone when the file is no longer the one that was opened (1 us).

        SQLite goes on writing to a file that has no name any more, and all of it is lost. The same
        is true of its log, which is looked at now and then.
        """
        if self._identity is not None and self._identity != identity(self.path):
            raise BrokerGone(
                f"{self.path} was deleted or replaced while it was in use; what was in it is "
                f"gone with it: stop the program, put the file back, start again"
            )
        if time.monotonic() >= self._look_at:
            self.check_log()

    def check_log(self) -> None:
        """Raise BrokerGone when the log is no longer the one that is used."""
        if self._log.lost():
            self._look_at = 0.0  # and so on, at each use
            raise BrokerGone(
                f"the log of {self.path} (-wal, -shm) was deleted or replaced while it was in use; "
                f"what was in it may be lost: stop all programs that use the store, then start "
                f"them again"
            )
        self._look_at = time.monotonic() + _LOOK_EVERY

    def note_log(self) -> None:
        """Note which log is used. To be called in a transaction: it is open then."""
        self._log.note()

    def close(self) -> None:
        """Close the connection, from any thread. It is opened again on use."""
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
            # check_same_thread=False: at exit a thread's session may be closed by another one.
            db = sqlite3.connect(
                self.path, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=False
            )
            self._db = db
        if self._lenient:
            db.text_factory = _text_or_bytes
        try:
            db.executescript(_PRAGMAS)
        except BaseException:
            self._close()
            raise
        self._identity = identity(self.path)
        return db

    def _close(self) -> None:
        if self._db is not None:
            if self._log.replaced():
                # The last connection that is closed moves the log into the file. An old log must
                # not go over what others have written by a new one: an interrupted connection
                # leaves it alone.
                self._db.interrupt()
            self._db.close()
        self._db, self._synchronous = None, ""
        self._log.forget()

    # see forks.py

    def before_fork(self) -> bool:
        if self._db is None:
            return False
        # A thread that forks in the middle of its own transaction cannot wait for its end.
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


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _check_sqlite() -> None:
    if sqlite3.sqlite_version_info < _MIN_VERSION:
        raise ConfigurationError(
            f"SQLite {sqlite3.sqlite_version} is too old: liteq needs 3.35 or newer; "
            f"use a newer Python"
        )
    if sqlite3.sqlite_version_info < _JSON_BUILT_IN and not _has_json():
        raise ConfigurationError(
            f"SQLite {sqlite3.sqlite_version} was built without the JSON functions, which liteq "
            f"needs; use a newer Python"
        )


def _has_json() -> bool:
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute("select json('1')")
        except sqlite3.OperationalError:
            return False
    return True
