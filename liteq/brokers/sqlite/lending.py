"""Lend the place of a session to a connection of the application; see guests.py."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from .checkpoints import is_due
from .handle import Handle
from .sharedstate import SharedState
from .writelock import WriteLock


class Lending(ABC):
    """The part of a session that stands behind transactions on other connections."""

    put_off: list[Callable[[Any], object]] | None = None
    """What is to be done after the commit, by a session of liteq's own; None: it is done at once"""

    is_lent: bool = False
    """Its thread is in a block: for the end of that, a write here would wait for ever"""

    _handle: Handle
    _state: SharedState
    _write_lock: WriteLock
    _disk_failed: bool

    def lock_for_guest(self, timeout: float) -> None:
        """Take the write lock for a transaction on another connection."""
        if self._disk_failed:
            self.checkpoint()
        self._handle.check()
        try:
            self._lock(timeout)
        except BaseException:
            self._write_lock.release()
            raise

    def begin_guest(self, begin: Callable[[], object], timeout: float) -> None:
        """Call `begin` until SQLite's own lock is free."""
        with self._handle.in_use:
            self._retry_while_busy(begin, timeout)

    def unlock_after_guest(self, rows: int) -> None:
        """Release the write lock after a transaction that has changed so many rows."""
        try:
            if rows and is_due(self._state.count_commit(rows), self._state):
                with self._translating(), self._handle.in_use:
                    self._restart_log(self._handle.db())
        finally:
            self._write_lock.release()

    def count_guest(self, rows: int) -> None:
        """Count what a transaction has written without the write lock, unless others hold that."""
        if rows and self._write_lock.acquire(0):
            self._state.count_commit(rows)
            self._write_lock.release()

    @abstractmethod
    def checkpoint(self) -> bool:
        """Move the log into the file and truncate it; return False if others prevented it."""

    @abstractmethod
    def _lock(self, timeout: float) -> None:
        """Take the write lock. Raises BrokerLocked."""

    @abstractmethod
    def _retry_while_busy(self, work: Callable[[], Any], timeout: float) -> Any:
        """Run `work` until the lock is free. Raises BrokerLocked."""

    @abstractmethod
    def _translating(self) -> AbstractContextManager[None]:
        """Raise liteq's errors for those of SQLite in this block."""

    @abstractmethod
    def _restart_log(self, db: sqlite3.Connection) -> None:
        """Move the log into the file, so that it is written over from its start again."""
