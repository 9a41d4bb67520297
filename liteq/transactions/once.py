"""The block of `self.once`: what a task does in a database, once, whatever becomes of the task.

A row beside the application's own rows says that it was done. It is looked for when a task runs
again: then its value is the result of the task, and the block is not entered.
"""

import time
from random import random
from typing import Any

from ..exceptions import TransactionError
from ..execution.context import Context, Finished
from ..result.app import App
from ..serializers import get
from .block import Transaction
from .callers import is_sqlite
from .dbapi import execute
from .first import check_first

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


class Once(Transaction):
    """A transaction that a task makes once; `result` is its value, as JSON can tell it."""

    must_send: bool = False

    def __init__(self, app: App, connection: Any, request: Context) -> None:
        super().__init__(app, connection)
        self._request = request
        self.result: Any = None

    def _enter(self) -> None:
        check_first(self._request)
        super()._enter()
        if self._request.id is None:  # a direct call
            return
        try:
            found = self._find(self._request.id)
        except Exception as exc:
            raise TransactionError(
                f"the table liteq_done cannot be read ({exc}). If it is not there: {_CREATE}"
            ) from exc
        if found:
            raise Finished(_json.loads(found[0][0].encode()))

    def _find(self, id: str) -> list[tuple[Any, ...]]:
        if is_sqlite(self._dbapi):
            execute(self._dbapi, _CREATE)
            execute(self._dbapi, _LOCK)
        return execute(self._dbapi, _FIND, id)

    def before_commit(self) -> None:
        data = _json.dumps(self.result)
        if self._request.id is not None:
            now = time.time()
            if random() < _SWEEP_CHANCE:
                execute(self._dbapi, _SWEEP, now - _KEEP)
            execute(self._dbapi, _INSERT, self._request.id, now, data.decode())
        # The same value as a later run would get.
        self._request.completed = (_json.loads(data),)


_json = get("json")
