"""What a task can do in a transaction of the application: `Task` has these methods."""

from typing import TYPE_CHECKING, Any

from ..execution.context import Context
from ..result.app import App

if TYPE_CHECKING:  # few programs need them
    from .completion import Completion
    from .once import Once


class InTransactions:
    """The methods of a task for transactions."""

    app: App

    @property
    def request(self) -> Context:
        """Return the context of the current run."""
        raise NotImplementedError

    def commit(self, connection: Any) -> "Completion":
        """Return a block whose end is the end of the task: `with self.commit(connection) as tx:`.

        What the task writes in it, its success, its value `tx.result`, and what follows from it in
        a workflow are one transaction, on a connection to the SQLite file that has the store. What
        the task returns after it is not used. Raises ClaimLost, and rolls all of it back, if
        another worker has the task by now; TransactionError if `connection` cannot be used.
        """
        from .completion import Completion

        return Completion(self.app, connection, self.request)

    def once(self, connection: Any) -> "Once":
        """Return a block that is done once, however often the task runs, in any database.

        `with self.once(connection) as tx: ...; tx.result = 7`. A row of the table `liteq_done` in
        the same transaction says so. If it is there, the run ends at the block, and its stored
        value is the task's, as it is after the block. The block begins the transaction and commits
        it; one that is open in SQLAlchemy or Django has to be committed before the task returns.
        Raises TransactionError if `connection` cannot be used.
        """
        from .once import Once

        return Once(self.app, connection, self.request)
