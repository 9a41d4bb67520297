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
from .gate import Gate, make_gate
from .handle import BUSY_MS, Handle
from .listeners import Notifier, SocketListener
from .location import Location, prepare
from .locks import holder_of_gate, holder_of_lock
from .rewriting import write_again
from .schema import ensure_schema, is_current
from .tally import Tally

T = TypeVar("T")

PATIENCE = 30.0  # seconds that a caller waits for the write lock
BRIEF = 1.0  # seconds that a worker waits: it tries again by itself, and must hear a Ctrl-C
_FOLD_AT = 2 * 2**20  # bytes of log: some 2.5 ms of work for whoever writes the last of them


class Level(NamedTuple):
    """How a transaction is written: at `full` it survives a power cut, at `normal` every kill."""

    synchronous: Literal["full", "normal"]
    patience: float = PATIENCE  # seconds to wait for the lock


class Session(forks.Watched):
    """A connection with its place in the gate. Belongs to one thread of one process."""

    def __init__(self, location: Location) -> None:
        self.path = location.path
        self.pid = os.getpid()
        self._notifier = Notifier()
        self.listener: SocketListener | None = None  # on which this thread waits for results
        self._version: object = None
        self._suspect = False  # the disk has failed, and the log may have holes
        prepare(self.path)
        self._handle = Handle(self.path)
        with forks.opening:
            self._gate, self._tally = self._shared()
            forks.watch(self)
        try:
            self._make_ready()
        except BaseException:
            self.close()
            raise

    def _shared(self) -> tuple[Gate, Tally]:
        path = f"{self.path}-gate"
        try:
            tally = Tally(path)
            try:
                return make_gate(path, tally), tally
            except BaseException:
                tally.close()
                raise
        except OSError as exc:
            raise cannot_open(exc, path) from exc

    def _make_ready(self) -> None:
        # A store that is up to date is opened beside the gate, so that whoever only wants to look
        # does not wait for those who write.
        with self._translated(), self._handle.calm:
            if self._patiently(lambda: is_current(self._handle.db(), self.path)):
                return
        try:
            self._enter(PATIENCE)
            with self._translated(), self._handle.calm:
                self._patiently(lambda: ensure_schema(self._handle.db(), self.path))
        finally:
            self._gate.release()

    def write(self, level: Level, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction: all of it is written, or nothing and it raises."""
        try:
            self._enter(level.patience)  # in here: a Ctrl-C at any instant leaves it open again
            self._handle.check()
            with self._handle.calm:
                db = self._begin(level)
                try:
                    if self._suspect:
                        self._mend()
                    before = db.total_changes
                    value = work(db)
                    db.execute("commit")
                finally:
                    self._roll_back(db)
                if self._tally.add(db.total_changes - before) > _FOLD_AT:
                    self._fold(db)
        except sqlite3.Error as exc:
            raise self._failed(exc) from exc
        finally:
            self._gate.release()
        return value

    def read(
        self,
        sql: str,
        values: tuple[object, ...] | Mapping[str, object] = (),
        patience: float = PATIENCE,
    ) -> list[tuple[Any, ...]]:
        """All rows of one query. Never leaves a read transaction open behind it."""
        self._handle.check()
        with self._translated(), self._handle.calm:
            return self._patiently(
                lambda: self._handle.db().execute(sql, values).fetchall(), patience
            )

    def notify(self, addresses: Sequence[tuple[str]]) -> None:
        """Notify the listeners at `addresses`, which are rows of a query."""
        if addresses:
            self._notifier.notify([address for (address,) in addresses])

    def changed(self) -> bool:
        """Whether another connection has written since this was asked last (6 us)."""
        ((version,),) = self.read("pragma data_version", patience=BRIEF)
        changed, self._version = version != self._version, version
        return bool(changed)

    def checkpoint(self) -> bool:
        """Move the log into the file and cut it to nothing; False when somebody was in the way."""
        if self._suspect:
            self.write(Level("normal", BRIEF), lambda db: None)  # a log with holes is mended first
        try:
            if not self._gate.acquire(BRIEF):
                return False
            self._tally.sign(self.pid)
            ((busy, _, _),) = self.read("pragma wal_checkpoint(truncate)", patience=BRIEF)
            if not busy:
                self._tally.set(0)
            return not busy
        finally:
            self._gate.release()

    def vacuum(self) -> None:
        """Write the file anew without its empty pages. Nobody else can write meanwhile."""
        try:
            self._enter(PATIENCE)
            self.read("vacuum")
        finally:
            self._gate.release()
        self.checkpoint()

    def copy_to(self, target: sqlite3.Connection, pages: int) -> None:
        """Copy the file as it is at this moment into `target`, so many pages at a time."""
        with self._handle.calm:
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
        with self._translated(), self._handle.calm:
            self._patiently(lambda: is_current(self._handle.db(), self.path), BRIEF)

    def close(self) -> None:
        """Close all that is open. Using the session again would be a mistake."""
        if self.listener is not None:
            self.listener.close()  # it writes, so it goes before the connection
        self._handle.close()
        forks.unwatch(self._handle)
        forks.unwatch(self)
        self._gate.close()
        self._tally.close()
        self._notifier.close()

    def disown(self) -> None:
        # To close the gate's file leaves the lock to the parent. The connection sees to itself.
        self._gate.close()
        self._notifier.close()

    # one transaction

    def _enter(self, patience: float) -> None:
        if not self._gate.acquire(patience):
            raise self._locked(patience, holder_of_gate(self._tally.holder()))
        self._tally.sign(self.pid)

    def _begin(self, level: Level) -> sqlite3.Connection:
        db = self._handle.db_at(level.synchronous)
        try:
            db.execute("begin immediate")
        except sqlite3.OperationalError as exc:
            if not is_busy(exc):
                raise
            return self._patiently(lambda: self._begin_now(level), level.patience)
        return db

    def _begin_now(self, level: Level) -> sqlite3.Connection:
        db = self._handle.db_at(level.synchronous)
        db.execute("begin immediate")
        return db

    def _roll_back(self, db: sqlite3.Connection) -> None:
        # A full disk has rolled back already, and a second time would be an error.
        if db.in_transaction:
            with suppress(sqlite3.Error):  # there is an earlier one to be told of
                db.execute("rollback")

    def _fold(self, db: sqlite3.Connection) -> None:
        """Move the log into the file, so that it is written over from its start again.

        Under the gate and with RESTART, which takes the write lock: a passive checkpoint beside
        a commit can corrupt the file in SQLite before 3.51.3 (the WAL-reset bug). The log keeps
        its size: to write over it costs half of what letting it grow does.
        """
        try:
            busy = _restart_log(db)
        except sqlite3.Error as exc:
            busy = True  # what was committed is committed; a later one tries again
            self._failed(exc)
        self._tally.set(_FOLD_AT // 2 if busy else 0)

    def _mend(self) -> None:
        """After an error of the disk: write the log once more, as it stands in memory.

        A failed fsync leaves what it should have written marked as written, so that no later one
        writes it; and whoever folds a log that has a hole on the disk ruins the file, should the
        power fail then. Nobody else writes meanwhile: we hold the write lock.
        """
        try:
            write_again(f"{self.path}-wal")
        except OSError as exc:
            raise cannot_open(exc, self.path) from exc
        self._suspect = False

    # waiting, and what is in the way

    def _patiently(self, work: Callable[[], T], patience: float = PATIENCE) -> T:
        """Try until the lock is free. Between two tries others may have the connection."""
        deadline = 0.0
        while True:
            try:
                return work()
            except sqlite3.OperationalError as exc:
                if not is_busy(exc):
                    raise
                now = time.monotonic()
                deadline = deadline or now + patience
                if now > deadline:
                    raise self._locked(patience, holder_of_lock(self.path)) from exc
            self._handle.calm.release()
            try:
                # Random, so that two never stay in step.
                time.sleep(random.uniform(0.0002, 0.002))
            finally:
                self._handle.calm.acquire()

    def _locked(self, patience: float, holder: str) -> BrokerLocked:
        return BrokerLocked(f"{self.path} stayed locked for {patience:g} s: {holder}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise self._failed(exc) from exc

    def _failed(self, exc: sqlite3.Error) -> BrokerError:
        """Remember what the disk has done, and say it in liteq's words."""
        self._suspect = self._suspect or is_io_error(exc)
        return translate(exc, self.path)


def _restart_log(db: sqlite3.Connection) -> bool:
    """Move the log into the file; say whether somebody was in the way."""
    # Not a moment is spent waiting for somebody who reads: everybody else waits for us.
    db.execute("pragma busy_timeout = 0")
    try:
        ((busy, _, _),) = db.execute("pragma wal_checkpoint(restart)").fetchall()
    finally:
        db.execute(f"pragma busy_timeout = {BUSY_MS}")
    return bool(busy)
