"""The block of a run in which the work of its task is completed: what `commit` and `once` share."""

from typing import Any

from ..exceptions import TransactionError
from ..execution.context import NO_TASK, Context
from ..result.app import App
from .block import Transaction
from .callers import is_sqlite, transaction_status
from .dbapi import execute

_MARK, _UNMARK = "savepoint liteq_block", "release savepoint liteq_block"


class Completing(Transaction):
    """A transaction of a task that runs; `result` is the task's value."""

    must_send: bool = False
    completes: bool = True

    def __init__(self, app: App, connection: Any, request: Context) -> None:
        super().__init__(app, connection)
        self._request = request
        self.result: Any = None

    def _enter(self) -> None:
        self._check_first()
        super()._enter()
        self._check_transaction()
        if self._has_savepoints:
            execute(self._dbapi, _MARK)

    def _check_first(self) -> None:
        """Raise TransactionError where no task runs, and after a block in the same run."""
        if self._request is NO_TASK:
            raise TransactionError(
                "no task runs here, so none can be completed: call commit() and once() in the task "
                "itself, not in a thread that it has started"
            )
        if self._request.completed is not None or self._request.uncommitted is not None:
            raise TransactionError("a run of a task can have one block of once() or commit()")

    def _check_transaction(self) -> None:
        """Raise TransactionError for one that somebody else ends, so that nobody knows how."""
        if not self._owns and self._caller.commits_seen == "never":
            raise TransactionError(
                "commit() and once() begin the transaction and end it, and this connection has one "
                "open: commit it or roll it back before"
            )

    def before_commit(self) -> None:
        if not self._has_savepoints:
            return
        try:
            execute(self._dbapi, _UNMARK)
        except Exception as exc:
            raise TransactionError(
                f"the transaction of {self.place} was ended inside of its block, which completes a "
                f"task ({exc}): what was committed there stays, and is done again when the task "
                f"runs again. Leave the commit to the block (the `with` statement of a connection "
                f"commits, too)"
            ) from exc

    @property
    def _has_savepoints(self) -> bool:
        """Return whether a savepoint can tell that the transaction was not ended meanwhile."""
        return is_sqlite(self._dbapi) or transaction_status(self._dbapi) is not None
