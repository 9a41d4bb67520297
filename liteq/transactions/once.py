"""The block of `self.once`: what a task does in a database, once, whatever becomes of the task.

A row beside the application's own rows says that it was done. It is looked for when a task runs
again: then its value is the result of the task, and the block is not entered.
"""

import time
from typing import Any

from ..exceptions import ClaimLost, TransactionError
from ..execution.context import Context, Finished
from ..model.checks import UNREADABLE
from ..result.app import App
from ..serializers import get
from ..support.randomness import uniform
from .callers import is_sqlite
from .completing import Completing
from .dbapi import execute

_CREATE = (
    "create table if not exists liteq_done (task varchar(255) primary key, "
    "at double precision not null, result text not null)"
)
_LOCK = "delete from liteq_done where task is null"
_FIND = "select result from liteq_done where task = ?"
_INSERT = "insert into liteq_done (task, at, result) values (?, ?, ?)"
_SWEEP = "delete from liteq_done where at < ?"
_KEEP = 30 * 86400.0  # seconds; a task that runs again after that does all of it again
_SWEEP_CHANCE = 0.01


class Once(Completing):
    """A transaction that a task makes once; `result` is its value, as JSON can tell it."""

    def __init__(self, app: App, connection: Any, request: Context) -> None:
        super().__init__(app, connection, request)
        self._value: tuple[Any] | None = None  # it is done, if the transaction is committed

    def _enter(self) -> None:
        super()._enter()
        self._value = None
        self._after.insert(0, self._complete)
        if self._request.id is None:  # a direct call
            return
        try:
            found = self._prepared(self._request.id)
        except Exception as exc:
            raise TransactionError(
                f"the table liteq_done cannot be read ({exc}). If it is not there: {_CREATE}"
            ) from exc
        if found:
            raise _finished(self._request.id, found)

    def _prepared(self, id: str) -> list[tuple[Any, ...]]:
        """Return the row of an earlier run, if any; the table is there."""
        if is_sqlite(self._dbapi):
            execute(self._dbapi, _CREATE)
            execute(self._dbapi, _LOCK)
        return execute(self._dbapi, _FIND, id)

    def before_commit(self) -> None:
        data = _json.dumps(self.result)
        super().before_commit()
        if self._request.id is not None:
            self._insert(self._request.id, data.decode())
        # The same value as a later run would get.
        self._value = (_json.loads(data),)
        self._request.uncommitted = self.place

    def _insert(self, id: str, data: str) -> None:
        now = time.time()
        if uniform(0.0, 1.0) < _SWEEP_CHANCE:
            execute(self._dbapi, _SWEEP, now - _KEEP)
        try:
            execute(self._dbapi, _INSERT, id, now, data)
        except Exception as exc:
            if not _is_duplicate(exc):
                raise
            raise self._done_meanwhile(id) from exc

    def _done_meanwhile(self, id: str) -> BaseException:
        """Return how this run ends, as another one of the same task has done it at the same time.

        That is one whose claim was lost, or which will find out that its own was.
        """
        if self._owns:
            self._caller.rollback()
            found = execute(self._dbapi, _FIND, id)
            if found:
                return _finished(id, found)
        return ClaimLost(f"{self._request.task}[{id}] was done by another run: this one is over")

    def _complete(self) -> None:
        """Note that it is committed."""
        if self._value is not None:
            self._request.completed = self._value
            self._request.uncommitted = None


def _finished(id: str, found: list[tuple[Any, ...]]) -> Finished:
    """Return how a task ends of which a row was found. Raises TransactionError."""
    try:
        return Finished(_json.loads(found[0][0].encode()))
    except UNREADABLE as exc:
        raise TransactionError(
            f"the row of the task {id} in liteq_done cannot be read: {exc}. It was done before; "
            f"what came of it was changed by hand"
        ) from exc


def _is_duplicate(exc: Exception) -> bool:
    """Return whether a row was refused because its key is there, by the words of the DBAPI."""
    return any(base.__name__ == "IntegrityError" for base in type(exc).__mro__)


_json = get("json")
