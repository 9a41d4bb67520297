"""One thread's connection to the store, and the only place where transactions begin and end."""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal, NamedTuple, TypeVar

from ...exceptions import BrokerError, BrokerLocked
from . import forks
from .errors import cannot_open, is_busy, is_io_error, translate
from .handle import BUSY_MS, Handle
from .location import SqliteLocation, prepare
from .lockholder import describe_holder, describe_writer
from .rewriting import rewrite_in_place
from .schema import ensure_schema, is_current
from .sharedstate import SharedState
from .sockets import Notifier, SocketListener
from .writelock import WriteLock, make_write_lock

T = TypeVar("T")

LOCK_TIMEOUT = 30.0  # seconds that a caller waits for the write lock
SHORT_TIMEOUT = 1.0  # seconds that a worker waits: it tries again by itself, and must hear a Ctrl-C
_CHECKPOINT_AT = 2 * 2**20  # bytes of log: some 2.5 ms of work for whoever writes the last of them


class WriteOptions(NamedTuple):
    """How a transaction is written: at `full` it survives a power cut, at `normal` every kill."""

    synchronous: Literal["full", "normal"]
    timeout: float = LOCK_TIMEOUT  # seconds to wait for the lock


class Session(forks.ForkAware):
    """A connection with its place in the gate. Belongs to one thread of one process."""

    def __init__(self, location: SqliteLocation) -> None:
        self.path = location.path
        self.pid = os.getpid()
        self._notifier = Notifier()
        self.listener: SocketListener | None = None  # on which this thread waits for results
        self._version: object = None
        self._log_suspect = False  # the disk has failed, and the log may have holes
        prepare(self.path)
        self._handle = Handle(self.path)
        with forks.opening:
            self._write_lock, self._shared_state = self._open_shared()
            forks.register(self)
        try:
            self._ensure_schema()
        except BaseException:
            self.close()
            raise

    def _open_shared(self) -> tuple[WriteLock, SharedState]:
        path = f"{self.path}-gate"
        try:
            shared_state = SharedState(path)
            try:
                return make_write_lock(path, shared_state), shared_state
            except BaseException:
                shared_state.close()
                raise
        except OSError as exc:
            raise cannot_open(exc, path) from exc

    def _ensure_schema(self) -> None:
        # A store that is up to date is opened beside the gate, so that whoever only wants to look
        # does not wait for those who write.
        with self._translating(), self._handle.in_use:
            if self._retry_while_busy(lambda: is_current(self._handle.db(), self.path)):
                return
        try:
            self._lock(LOCK_TIMEOUT)
            with self._translating(), self._handle.in_use:
                self._retry_while_busy(lambda: ensure_schema(self._handle.db(), self.path))
        finally:
            self._write_lock.release()

    def write(self, level: WriteOptions, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction: all of it is written, or nothing and it raises."""
        try:
            self._lock(level.timeout)  # in here: a Ctrl-C at any instant leaves it open again
            self._handle.check()
            with self._handle.in_use:
                db = self._begin(level)
                try:
                    if self._log_suspect:
                        self._rewrite_log()
                    before = db.total_changes
                    value = work(db)
                    db.execute("commit")
                finally:
                    self._roll_back(db)
                if self._shared_state.count_commit(db.total_changes - before) > _CHECKPOINT_AT:
                    self._restart_log(db)
        except sqlite3.Error as exc:
            raise self._translate(exc) from exc
        finally:
            self._write_lock.release()
        return value

    def read(
        self,
        sql: str,
        values: tuple[object, ...] | Mapping[str, object] = (),
        timeout: float = LOCK_TIMEOUT,
    ) -> list[tuple[Any, ...]]:
        """All rows of one query. Never leaves a read transaction open behind it."""
        self._handle.check()
        with self._translating(), self._handle.in_use:
            return self._retry_while_busy(
                lambda: self._handle.db().execute(sql, values).fetchall(), timeout
            )

    def notify(self, addresses: Sequence[tuple[str]]) -> None:
        """Notify the listeners at `addresses`, which are rows of a query."""
        if addresses:
            self._notifier.notify([address for (address,) in addresses])

    def changed(self) -> bool:
        """Whether another connection has written since this was asked last (6 us)."""
        ((version,),) = self.read("pragma data_version", timeout=SHORT_TIMEOUT)
        changed, self._version = version != self._version, version
        return bool(changed)

    def checkpoint(self) -> bool:
        """Move the log into the file and cut it to nothing; False when somebody was in the way."""
        if self._log_suspect:
            self.write(
                WriteOptions("normal", SHORT_TIMEOUT), lambda db: None
            )  # a log with holes is mended first
        try:
            if not self._write_lock.acquire(SHORT_TIMEOUT):
                return False
            self._shared_state.set_holder(self.pid)
            ((busy, _, _),) = self.read("pragma wal_checkpoint(truncate)", timeout=SHORT_TIMEOUT)
            if not busy:
                self._shared_state.set_log_size(0)
            return not busy
        finally:
            self._write_lock.release()

    def vacuum(self) -> None:
        """Write the file anew without its empty pages. Nobody else can write meanwhile."""
        try:
            self._lock(LOCK_TIMEOUT)
            self.read("vacuum")
        finally:
            self._write_lock.release()
        self.checkpoint()

    def copy_to(self, target: sqlite3.Connection, pages: int) -> None:
        """Copy the file as it is at this moment into `target`, so many pages at a time."""
        with self._handle.in_use:
            db = self._handle.db()
            # Within a transaction, or the copy would begin again with every commit of others.
            db.execute("begin")
            try:
                db.execute("select 1 from sqlite_master").fetchall()
                # With `progress` Python looks between two steps whether there was a Ctrl-C.
                db.backup(target, pages=pages, sleep=0, progress=lambda *steps: None)
            finally:
                self._roll_back(db)

    def log_size(self) -> int:
        """Bytes in the write-ahead log."""
        try:
            return os.stat(f"{self.path}-wal").st_size
        except OSError:
            return 0

    def check_identity(self) -> None:
        """Raise BrokerGone when the file is no longer the one that was opened, and BrokerTooNew
        when a newer liteq has changed its tables."""
        self._handle.check()
        with self._translating(), self._handle.in_use:
            self._retry_while_busy(lambda: is_current(self._handle.db(), self.path), SHORT_TIMEOUT)

    def close(self) -> None:
        """Close all that is open. Using the session again would be a mistake."""
        if self.listener is not None:
            self.listener.close()  # it writes, so it goes before the connection
        self._handle.close()
        forks.unregister(self._handle)
        forks.unregister(self)
        self._write_lock.close()
        self._shared_state.close()
        self._notifier.close()

    def after_fork_in_child(self) -> None:
        # To close the gate's file leaves the lock to the parent. The connection sees to itself.
        self._write_lock.close()
        self._notifier.close()

    # one transaction

    def _lock(self, timeout: float) -> None:
        if not self._write_lock.acquire(timeout):
            raise self._locked_error(timeout, describe_holder(self._shared_state.holder()))
        self._shared_state.set_holder(self.pid)

    def _begin(self, level: WriteOptions) -> sqlite3.Connection:
        db = self._handle.db_at(level.synchronous)
        try:
            db.execute("begin immediate")
        except sqlite3.OperationalError as exc:
            if not is_busy(exc):
                raise
            return self._retry_while_busy(lambda: self._begin_now(level), level.timeout)
        return db

    def _begin_now(self, level: WriteOptions) -> sqlite3.Connection:
        db = self._handle.db_at(level.synchronous)
        db.execute("begin immediate")
        return db

    def _roll_back(self, db: sqlite3.Connection) -> None:
        # A full disk has rolled back already, and a second time would be an error.
        if db.in_transaction:
            with suppress(sqlite3.Error):  # there is an earlier one to be told of
                db.execute("rollback")

    def _restart_log(self, db: sqlite3.Connection) -> None:
        """Move the log into the file, so that it is written over from its start again.

        Under the gate and with RESTART, which takes the write lock: a passive checkpoint beside
        a commit can corrupt the file in SQLite before 3.51.3 (the WAL-reset bug). The log keeps
        its size: to write over it costs half of what letting it grow does.
        """
        try:
            busy = _checkpoint(db)
        except sqlite3.Error as exc:
            busy = True  # what was committed is committed; a later one tries again
            self._translate(exc)
        self._shared_state.set_log_size(_CHECKPOINT_AT // 2 if busy else 0)

    def _rewrite_log(self) -> None:
        """After an error of the disk: write the log once more, as it stands in memory.

        A failed fsync leaves what it should have written marked as written, so that no later one
        writes it; and whoever folds a log that has a hole on the disk ruins the file, should the
        power fail then. Nobody else writes meanwhile: we hold the write lock.
        """
        try:
            rewrite_in_place(f"{self.path}-wal")
        except OSError as exc:
            raise cannot_open(exc, self.path) from exc
        self._log_suspect = False

    # waiting, and what is in the way

    def _retry_while_busy(self, work: Callable[[], T], timeout: float = LOCK_TIMEOUT) -> T:
        """Try until the lock is free. Between two tries others may have the connection."""
        deadline = 0.0
        while True:
            try:
                return work()
            except sqlite3.OperationalError as exc:
                if not is_busy(exc):
                    raise
                now = time.monotonic()
                deadline = deadline or now + timeout
                if now > deadline:
                    raise self._locked_error(timeout, describe_writer(self.path)) from exc
            self._handle.in_use.release()
            try:
                # Random, so that two never stay in step.
                time.sleep(random.uniform(0.0002, 0.002))
            finally:
                self._handle.in_use.acquire()

    def _locked_error(self, timeout: float, holder: str) -> BrokerLocked:
        return BrokerLocked(f"{self.path} stayed locked for {timeout:g} s: {holder}")

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise self._translate(exc) from exc

    def _translate(self, exc: sqlite3.Error) -> BrokerError:
        """Remember what the disk has done, and say it in liteq's words."""
        self._log_suspect = self._log_suspect or is_io_error(exc)
        return translate(exc, self.path)


def _checkpoint(db: sqlite3.Connection) -> bool:
    """Move the log into the file; say whether somebody was in the way."""
    # Not a moment is spent waiting for somebody who reads: everybody else waits for us.
    db.execute("pragma busy_timeout = 0")
    try:
        ((busy, _, _),) = db.execute("pragma wal_checkpoint(restart)").fetchall()
    finally:
        db.execute(f"pragma busy_timeout = {BUSY_MS}")
    return bool(busy)
