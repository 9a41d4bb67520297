"""The tools of an application, which look at its store and change what is in it."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..result import ResultSet
from ..result.app import App
from ..result.group_result import GroupResults
from .absent import OF_APP, Incomplete

if TYPE_CHECKING:
    from ..beat.timetable import Timetable
    from ..transactions.block import Transaction
    from ..transactions.outbox import Outbox
    from .asyncjobs import AsyncJobs
    from .control import Control
    from .dead_letters import DeadLetters

C = TypeVar("C", bound=Callable[[], Any])


class Tools(Incomplete):
    """The tools of an application, one object of each, so that tests can patch their methods.

    Those that programs seldom use are imported on use.
    """

    absent: ClassVar[Mapping[str, str]] = OF_APP

    @cached_property
    def schedules(self: App) -> "Timetable":
        """Return the periodic tasks in the store, to be listed and changed."""
        from ..beat.timetable import Timetable

        return Timetable(self)

    @cached_property
    def control(self: App) -> "Control":
        """Return the remote control: revoke and purge tasks, inspect workers."""
        from .control import Control

        return Control(self)

    @cached_property
    def jobs(self: App) -> "AsyncJobs":
        """Return the tasks that were sent, to be listed, retried, cancelled and deleted."""
        from .asyncjobs import AsyncJobs

        return AsyncJobs(self)

    @cached_property
    def dead_letters(self: App) -> "DeadLetters":
        """Return the tasks that were set aside as dead, to be retried or purged."""
        from .dead_letters import DeadLetters

        return DeadLetters(self)

    @cached_property
    def GroupResult(self: App) -> GroupResults:  # noqa: N802 - Celery's
        """Return what makes results of groups, by call or by `restore`."""
        return GroupResults(self)

    def ResultSet(  # noqa: N802 - Celery's
        self: App, results: Iterable[Any] | None = None, **options: Any
    ) -> ResultSet:
        """Return a set of `results`."""
        return ResultSet(results, app=self, **options)

    def emit(self: App, key: str, value: Any = None) -> bool:
        """Emit the event `key`: tasks that wait for it get `value`, and go on.

        Return whether it was the first of its key: the first one counts, also for tasks that wait
        for it later, and is kept for `event_expires` seconds. Raises InvalidTaskError for a key
        that is not 1 to 255 printable characters, SerializationError or PayloadTooLarge for a
        value that cannot be stored, BrokerError when the store fails.
        """
        from .events import emit

        return emit(self, key, value)

    # transactions of the application

    def transaction(self: App, connection: Any) -> "Transaction":
        """Return a block in which tasks are sent as part of a transaction on `connection`.

        `with app.transaction(connection): ...`: they exist if and only if it is committed. If the
        connection is in no transaction, the block begins one, and commits it at its end; else
        whoever began that ends it. `connection`: a `sqlite3.Connection` or another one of Python's
        DBAPI, a Session or Connection of SQLAlchemy, or the `connection` of django.db. Raises
        TransactionError when it is entered and `connection` cannot be used, BrokerLocked when the
        store stays locked.
        """
        from ..transactions.block import Transaction

        return Transaction(self, connection)

    @cached_property
    def outboxes(self) -> "list[Outbox]":
        """Return the registered outboxes."""
        return []

    def outbox(self: App, connect: C) -> C:
        """Register a database in whose transactions tasks are sent, though the store is elsewhere.

        `connect` opens a connection of the DBAPI to it: `@app.outbox` above a function. What is
        sent in a transaction there is kept in the table `liteq_outbox` of that database, and
        relayed to the store after the commit. Returns `connect`.
        """
        from ..transactions.outbox import Outbox

        self.outboxes.append(Outbox(self, connect))
        return connect

    def bugreport(self: App) -> str:
        """Return the versions, the system and the settings of this process, without secrets."""
        from .bugreport import bug_report

        return bug_report(self)
