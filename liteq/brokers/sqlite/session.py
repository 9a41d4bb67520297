"""The session of one thread: the only place where transactions begin and end."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import inf
from typing import Any, Literal, NamedTuple, TypeVar

from ...exceptions import BrokerError, BrokerLocked, ConfigurationError
from ...support.randomness import uniform
from . import forks
from .checkpoints import QUIET_AT, checkpoint, is_due
from .errors import (
    REFUSED,
    cannot_open,
    is_busy,
    is_io_error,
    is_undecodable,
    is_unknown_name,
    occupied,
    refused,
    translate,
)
from .handle import Handle
from .idleworkers import IdleWorkers
from .lending import Lending
from .location import SqliteLocation, lock_file, prepare
from .lockholder import describe_holder, describe_other_program, is_held_by_caller
from .notifying import SHORT_TIMEOUT, Notifying
from .rewriting import rewrite_in_place
from .schema import check_acceptable, ensure_schema, is_current
from .sharedstate import SharedState
from .sockets import Notifier, SocketListener
from .waits import Waits
from .writelock import WriteLock, make_write_lock

T = TypeVar("T")

_LOOK_EVERY = 1.0  # seconds between two looks whether the lock file is still there
LOCK_TIMEOUT = 30.0  # seconds that a caller waits for the write lock

Synchronous = Literal["full", "normal"]
"""Transactions survive a power cut at `full`; at `normal` only that their process is killed."""


class WriteOptions(NamedTuple):
    """The options of a write transaction."""

    synchronous: Synchronous
    timeout: float = LOCK_TIMEOUT  # seconds to wait for the write lock


class Session(forks.ForkAware, Lending, Notifying):
    """A connection with a write lock. It belongs to one thread of one process.

    Its methods raise the errors that errors.py makes of SQLite's, BrokerLocked when the lock was
    not free in time, and BrokerGone when the file was replaced.
    """

    def __init__(self, location: SqliteLocation) -> None:
        self.path: str = location.path
        self._location = location
        self.pid: int = os.getpid()
        self._notifier = Notifier()
        self._elsewhere: dict[int, str] = {}  # addresses by key, of listeners in other folders
        self._gone: set[int] = set()  # keys of listeners that are gone
        self.listener: SocketListener | None = None  # by which this thread waits for results
        self._version: object = None
        self._size_before = 0  # of the log, when it was looked at last whether nobody writes
        self._shared_look_at: float = time.monotonic() + _LOOK_EVERY
        self._disk_failed = False  # so the log may have holes, until it is written again
        prepare(self.path)
        self._handle = Handle(self.path)
        if not os.path.exists(lock_file(self.path)):
            self._check_acceptable()
        with forks.opening:
            self._share(*self._open_shared())
            forks.register(self)
        try:
            self._ensure_schema()
        except BaseException:
            self.close()
            raise

    def _open_shared(self) -> tuple[WriteLock, SharedState]:
        path = lock_file(self.path)
        try:
            state = SharedState(path)
            try:
                return make_write_lock(path, state), state
            except BaseException:
                state.close()
                raise
        except OSError as exc:
            raise cannot_open(exc, path) from exc

    def _check_acceptable(self) -> None:
        """Refuse a file that cannot be a store before there is a file of ours beside it."""
        try:
            with self._translating(), self._handle.in_use:
                self._retry_while_busy(lambda: check_acceptable(self._handle.db(), self._location))
        except BaseException:
            self._handle.close()
            raise

    def _ensure_schema(self) -> None:
        # A store that is up to date is opened without the write lock, so that a program that only
        # reads does not wait for writers.
        with self._translating(), self._handle.in_use:
            if self._retry_while_busy(lambda: is_current(self._handle.db(), self._location)):
                return
        try:
            self._lock(LOCK_TIMEOUT)
            with self._translating(), self._handle.in_use:
                self._retry_while_busy(lambda: ensure_schema(self._handle.db(), self._location))
        finally:
            self._write_lock.release()

    def write(self, options: WriteOptions, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction and return its value: all is written, or this raises.

        It is run a second time when it meets text that cannot be decoded, see `Handle.be_lenient`.
        """
        if self.is_lent:
            raise occupied(self.path)
        self.check_shared()
        try:
            return self._transaction(options, work)
        except sqlite3.Error as exc:
            if not (is_undecodable(exc) and self._handle.be_lenient()):
                raise self.translate(exc) from exc
        return self.write(options, work)

    def _transaction(self, options: WriteOptions, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._lock(options.timeout)  # inside `try`: a Ctrl-C at any instant releases it again
            self._handle.check()
            with self._handle.in_use:
                db = self._begin(options)
                try:
                    self._handle.note_log()
                    if self._disk_failed:
                        self._rewrite_log()
                    before = db.total_changes
                    value = work(db)
                    db.execute("commit")
                finally:
                    self._roll_back(db)
                size = self._state.count_commit(db.total_changes - before)
                if is_due(size, self._state):
                    self._restart_log(db)
        except REFUSED as exc:
            raise refused(exc, self.path) from exc
        finally:
            self._write_lock.release()
        return value

    def read(
        self,
        sql: str,
        values: tuple[object, ...] | Mapping[str, object] = (),
        timeout: float = LOCK_TIMEOUT,
    ) -> list[tuple[Any, ...]]:
        """Return all rows of one query. It never leaves a read transaction open."""
        self._handle.check()
        try:
            with self._handle.in_use:
                return self._retry_while_busy(
                    lambda: self._handle.db().execute(sql, values).fetchall(), timeout
                )
        except sqlite3.Error as exc:
            if not (is_undecodable(exc) and self._handle.be_lenient()):
                raise self.translate(exc) from exc
        return self.read(sql, values, timeout)

    def begin_rescue(self, every: float) -> bool:
        """Return whether to look for dead workers; see `SharedState.begin_look`."""
        return self._state.begin_look(every)

    def begin_look_at_tables(self, every: float) -> bool:
        """Return whether to look; see `SharedState.begin_look_at_tables`."""
        return self._state.begin_look_at_tables(every)

    def check_shared(self) -> None:
        """Open the lock file again, now and then, if it was deleted or replaced.

        Or those who have the old one and those who have the new one would not notify each other.
        To be called between transactions.
        """
        if time.monotonic() < self._shared_look_at:
            return
        self._shared_look_at = time.monotonic() + _LOOK_EVERY
        if not self._state.is_replaced() or not os.path.exists(self.path):
            return
        with suppress(BrokerError), forks.opening:  # it cannot be opened: we keep what we have
            before = self._write_lock, self._state
            self._share(*self._open_shared())
            for each in before:
                each.close()

    def _share(self, lock: WriteLock, state: SharedState) -> None:
        self._write_lock, self._state = lock, state
        self.waits: Waits = Waits(state)
        self.idle: IdleWorkers = IdleWorkers(state)

    def changed(self) -> bool:
        """Return whether another connection has written since the last call (6 us)."""
        self.check_shared()
        ((version,),) = self.read("pragma data_version", timeout=SHORT_TIMEOUT)
        changed, self._version = version != self._version, version
        return bool(changed)

    def checkpoint(self) -> bool:
        """Move the log into the file and truncate it; return False if others prevented it."""
        if self._disk_failed:
            # A write rewrites the log, which may have holes, before anything else.
            self.write(WriteOptions("normal", SHORT_TIMEOUT), lambda db: None)
        try:
            if not self._write_lock.acquire(SHORT_TIMEOUT):
                return False
            self._state.set_holder(self.pid)
            self._handle.check_log()
            ((busy, _, _),) = self.read("pragma wal_checkpoint(truncate)", timeout=SHORT_TIMEOUT)
            if not busy:
                self._state.set_log_size(0)
            return not busy
        finally:
            self._write_lock.release()

    def checkpoint_when_quiet(self) -> None:
        """Move the log into the file if it has grown, and not since the last call.

        It is kept, and written over from its start. Nothing is done while another process writes.
        """
        size, before = self._state.log_size(), self._size_before
        self._size_before = size
        if size != before or size < QUIET_AT or self._disk_failed:
            return
        try:
            if self._write_lock.acquire(0.0):
                self._state.set_holder(self.pid)
                self._handle.check()
                with self._handle.in_use:
                    self._restart_log(self._handle.db())
        finally:
            self._write_lock.release()

    def vacuum(self) -> None:
        """Rewrite the file without its empty pages. No other connection can write meanwhile.

        Raises ConfigurationError when the file is shared.
        """
        if self._location.shared:
            raise ConfigurationError(
                f"{self.path} is shared with an application, whose tables would be rewritten too, "
                f"and might get other rowids: let the application run `vacuum`"
            )
        try:
            self._lock(LOCK_TIMEOUT)
            self.read("vacuum")
        finally:
            self._write_lock.release()
        self.checkpoint()

    def copy_to(self, target: sqlite3.Connection) -> None:
        """Copy the file as it is at this moment into `target`."""
        from .backup import copy_file

        with self._handle.in_use:
            copy_file(self._handle.db(), target)

    def log_size(self) -> int:
        """Return the size of the write-ahead log in bytes."""
        try:
            return os.stat(f"{self.path}-wal").st_size
        except OSError:
            return 0

    def check_identity(self) -> None:
        """Raise BrokerGone when the file was replaced, BrokerTooNew when its tables are newer."""
        self._handle.check()
        with self._translating(), self._handle.in_use:
            self._retry_while_busy(
                lambda: is_current(self._handle.db(), self._location), SHORT_TIMEOUT
            )

    def close(self) -> None:
        """Close all that is open. The session cannot be used again."""
        self._shared_look_at = inf
        if self.listener is not None:
            self.listener.close()  # before the connection, because it writes
        self._handle.close()
        forks.unregister(self._handle)
        forks.unregister(self)
        self._write_lock.close()
        self._state.close()
        self._notifier.close()

    def after_fork_in_child(self) -> None:
        # Closing the file of the lock leaves the lock to the parent. The handle closes itself.
        self._write_lock.close()
        self._notifier.close()

    # one transaction

    def _lock(self, timeout: float) -> None:
        if not self._write_lock.acquire(timeout):
            raise self.locked_error(timeout, describe_holder(self._state.holder(), self.path))
        self._state.set_holder(self.pid)

    def _begin(self, options: WriteOptions) -> sqlite3.Connection:
        db = self._handle.db_at(options.synchronous)
        try:
            db.execute("begin immediate")
        except sqlite3.OperationalError as exc:
            if not is_busy(exc):
                raise
            return self._retry_while_busy(lambda: self._begin_now(options), options.timeout)
        return db

    def _begin_now(self, options: WriteOptions) -> sqlite3.Connection:
        db = self._handle.db_at(options.synchronous)
        db.execute("begin immediate")
        return db

    def _roll_back(self, db: sqlite3.Connection) -> None:
        # SQLite has rolled back already after an error such as a full disk; a second rollback
        # would be an error itself.
        if db.in_transaction:
            with suppress(sqlite3.Error):  # the first error is the one to raise
                db.execute("rollback")

    def _restart_log(self, db: sqlite3.Connection) -> None:
        """Move the log into the file, so that it is written over from its start again.

        Under the write lock and with RESTART, which takes SQLite's lock too: a passive checkpoint
        beside a commit can corrupt the file in SQLite before 3.51.3 (the WAL-reset bug). The log
        keeps its size: writing over it costs half of what growing it does.
        """
        self._handle.check_log()
        try:
            busy = checkpoint(db, self._state)
        except sqlite3.Error as exc:
            busy = True  # the transaction is committed all the same; a later one tries again
            self._note_disk(exc)
        self._state.set_log_size(self._state.log_size() // 2 if busy else 0)

    def _rewrite_log(self) -> None:
        """Write the log once more, as it stands in memory, after an error of the disk.

        The kernel marks pages as written even when an fsync fails, so no later fsync writes them;
        and a checkpoint of a log that has holes on the disk ruins the file, should the power fail
        then. No other process writes meanwhile, because we hold the write lock.
        """
        try:
            rewrite_in_place(f"{self.path}-wal")
        except OSError as exc:
            raise cannot_open(exc, self.path) from exc
        self._disk_failed = False

    # waiting for the lock, and errors

    def _retry_while_busy(self, work: Callable[[], T], timeout: float = LOCK_TIMEOUT) -> T:
        """Run `work` until the lock is free; others may use the connection between two tries."""
        deadline = 0.0
        while True:
            try:
                return work()
            except sqlite3.OperationalError as exc:
                if not is_busy(exc):
                    raise
                now = time.monotonic()
                in_vain = not deadline and is_held_by_caller(self.path)
                deadline = deadline or now + timeout
                if in_vain or now > deadline:
                    waited = 0.0 if in_vain else timeout
                    raise self.locked_error(waited, describe_other_program(self.path)) from exc
            self._handle.in_use.release()
            try:
                # Random, so that two processes never stay in step.
                time.sleep(uniform(0.0002, 0.002))
            finally:
                self._handle.in_use.acquire()

    def locked_error(self, timeout: float, holder: str) -> BrokerLocked:
        """Return the error of a caller that has waited for `timeout` seconds for the lock."""
        how = f"stayed locked for {timeout:g} s" if timeout else "is locked"
        return BrokerLocked(f"{self.path} {how}: {holder}")

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise self.translate(exc) from exc

    def translate(self, exc: sqlite3.Error) -> BrokerError:
        """Return liteq's error for `exc`, and remember whether the disk failed."""
        self._note_disk(exc)
        if is_unknown_name(exc) and (why := self._upgraded()) is not None:
            return why
        return translate(exc, self.path)

    def _upgraded(self) -> BrokerError | None:
        """Return an error that says so if a newer liteq has upgraded the tables meanwhile."""
        try:
            with self._handle.in_use:
                is_current(self._handle.db(), self._location)
        except BrokerError as why:
            return why
        except sqlite3.Error:
            pass  # that of the caller says more
        return None

    def _note_disk(self, exc: sqlite3.Error) -> None:
        self._disk_failed = self._disk_failed or is_io_error(exc)
