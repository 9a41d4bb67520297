"""The block of a transaction of the application: tasks that are sent in it are part of it."""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from ..brokers.base import Broker
from ..brokers.guests import Guest, guest_of
from ..exceptions import LiteqError, TransactionError
from ..execution.context import current_run
from ..result.app import App
from ..sending.blocks import Outlet, enter_block, leave_block, open_blocks
from .callers import Caller, caller_of, is_sqlite
from .outbox import OutboxOutlet, no_outbox, outbox_for
from .outlets import Deferred, Refusal

_LONG = 1.0  # seconds that a transaction may keep all other writers waiting

AfterCommit = Callable[[], object]


class Transaction:
    """A block of code in a transaction on `connection`: `with app.transaction(connection):`.

    If the connection is in no transaction, the block begins one, and commits it at its end or rolls
    it back because of an exception. If it is in one, the block is part of it, and whoever has begun
    it ends it.
    """

    must_join: bool = False  # an open transaction is asked for
    must_send: bool = True  # that tasks cannot be sent in it is an error at once
    completes: bool = False  # its end is that of a task

    def __init__(self, app: App, connection: Any) -> None:
        self._app = app
        self.connection: Any = connection
        self.is_open: bool = False
        self.pid: int = os.getpid()
        self.place: str = _place()
        self._caller: Caller
        self._dbapi: Any = None
        self._owns = False  # it has begun the transaction, and ends it
        self._outlet: Outlet | None = None  # None: the broker takes part in the transaction
        self._guest: Guest | None = None
        self._after: list[AfterCommit] = []  # what follows the commit
        self._relays: list[AfterCommit] = []  # of it, what waits for the end of the commit
        self._hint: AfterCommit | None = None  # of it, what may be done if nobody sees the commit
        self._since = 0.0  # `time.monotonic`, that it has the lock of a writer

    @property
    def broker(self) -> Broker:
        """Return the broker whose tasks are sent in this block."""
        return self._app.broker

    @property
    def outlet(self) -> Outlet:
        """Return what takes the tasks that are sent in this block."""
        return self._outlet or self._app.broker

    def execute(self, *args: Any, **options: Any) -> Any:
        """Call `execute` of the connection."""
        return self.connection.execute(*args, **options)

    # begin and end

    def __enter__(self) -> Self:
        if self.is_open:
            raise TransactionError("this block is open already: make another one")
        self._outlet, self._guest, self._hint = None, None, None
        self._after, self._relays = [], []
        try:
            self._enter()
        except LiteqError:
            self._give_up()
            raise
        except Exception as exc:
            self._give_up()
            raise TransactionError(f"the transaction of {self.place} cannot begin: {exc}") from exc
        except BaseException:
            self._give_up()
            raise
        self.is_open = True
        enter_block(self)
        return self

    def _enter(self) -> None:
        caller = self._caller = caller_of(self.connection)
        self._owns = not caller.in_transaction() or (self.completes and caller.always_open)
        if self._owns and self.must_join:
            raise TransactionError(
                "connection= sends a task in the open transaction of a connection, and this one "
                "has none: begin it before, or use `with app.transaction(connection):`"
            )
        if self._owns:
            caller.begin()
        self._dbapi = caller.dbapi
        guest = guest_of(self._app.broker, self._dbapi)
        if guest is not None:
            guest.enter(hold=self._owns, catch_up=caller.catch_up)
            self._guest, self._hint = guest, guest.notify
            self._after.append(guest.notify)
        else:
            self._enter_elsewhere()
        self._since = time.monotonic()

    def _enter_elsewhere(self) -> None:
        """Begin a transaction that is not one of the store."""
        broker, dbapi = self._app.broker, self._dbapi
        outbox = outbox_for(self._app, dbapi)
        if outbox is None and not broker.local:
            why = no_outbox(broker, dbapi)
            if self.must_send:
                raise TransactionError(why)
            self._outlet = Refusal(why)
        if is_sqlite(dbapi) and not dbapi.in_transaction:
            dbapi.execute("begin immediate")
        if outbox is not None:
            kept = OutboxOutlet(outbox, dbapi, self._caller.catch_up)
            kept.prepare()
            same = self._owns and self._caller.keeps_connection
            self._relays.append(kept.relay_own if same else kept.relay_all)
            self._outlet = kept
        elif broker.local:
            deferred = Deferred(broker)
            self._outlet, self._hint = deferred, deferred.send
            self._after.append(deferred.send)

    def _give_up(self) -> None:
        """Undo what was begun of a block that could not be entered."""
        if self._owns and self._dbapi is not None:
            _quietly(self._caller.rollback)
        if self._guest is not None:
            self._guest.leave()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        try:
            if error is None:
                self.before_commit()
        except BaseException:
            self._end(commit=False)
            raise
        self._end(commit=error is None)
        return None

    def before_commit(self) -> None:
        """Do what belongs to the transaction, at the end of a block that did not fail."""

    def _end(self, *, commit: bool) -> None:
        try:
            if self._owns and commit:
                self._commit()
            elif self._owns:
                _quietly(self._caller.rollback)
        finally:
            self.is_open = False
            leave_block(self)
            if self._guest is not None:
                self._guest.leave()
            self._tell_if_long()
        if commit or not self._owns:
            self._follow_up(failed=not commit)

    def _commit(self) -> None:
        try:
            self._check_still_there()
            self._caller.commit()
        except Exception as exc:
            _quietly(self._caller.rollback)
            if is_sqlite(self._dbapi) and type(exc).__module__ == "sqlite3":
                raise TransactionError(
                    f"the transaction of {self.place} was rolled back: {exc}"
                ) from exc
            raise
        except BaseException:
            _quietly(self._caller.rollback)
            raise

    def _check_still_there(self) -> None:
        if self._guest is not None and self._guest.rolled_back:
            raise TransactionError(
                f"the transaction of {self.place} was rolled back by the database, because of an "
                f"error inside of it: nothing of it is kept"
            )

    def _follow_up(self, *, failed: bool) -> None:
        """Notify and relay, once the transaction is committed."""
        seen, calls = self._caller.commits_seen, [*self._after, *self._relays]
        outer = next((each for each in open_blocks() if _on(each, self._dbapi)), None)
        if self._owns:
            _call_all(calls)
        elif isinstance(outer, Transaction):
            outer._after += self._after
            outer._relays += self._relays
        elif seen != "never":
            # Before the commit there is nothing to relay yet: a worker does that. Those that are
            # notified then wait for the lock of the transaction.
            shown = calls if seen == "after" else self._after
            self._caller.on_commit(partial(_call_all, shown))
        elif self._hint is not None and not failed:
            self._hint()  # likewise

    def _tell_if_long(self) -> None:
        seconds = time.monotonic() - self._since
        if seconds > _LONG and is_sqlite(self._dbapi):
            from logging import getLogger  # takes 10 ms, so programs that only send do without it

            run = current_run()
            whose = self.place if run is None else f"{run.task}[{run.id}], {self.place}"
            getLogger("liteq.transactions").warning(
                "a transaction of %s has kept all other writers of its database waiting for "
                "%.1f s: do what takes long before it, or after",
                whose,
                seconds,
            )


class Joined(Transaction):
    """The same for one call, in a transaction that must be open."""

    must_join: bool = True


def _call_all(calls: list[AfterCommit]) -> None:
    for call in calls:
        call()


def _on(block: Any, dbapi: Any) -> bool:
    return isinstance(block, Transaction) and block._dbapi is dbapi


def _quietly(work: Callable[[], object]) -> None:
    """Call `work`; the error that led to it is the one to raise."""
    try:
        work()
    except Exception:  # noqa: BLE001 - see above
        pass


def _place() -> str:
    """Return the line of the application's code that makes a block."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _is_ours(module: str) -> bool:
    return module.startswith("liteq.")
