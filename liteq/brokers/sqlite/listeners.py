"""The table of listeners, and what each of them is notified of.

The table says which listeners there are. Whom a change concerns stands in shared memory, so that a
notification costs the same with a thousand waiters as with one: see waits.py for results,
idleworkers.py for work.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack, suppress
from sqlite3 import Connection

from ...exceptions import BrokerError
from ..base import Claim
from ..owners import Owner, is_dead, this_process
from .changes import Changes, pass_on
from .claiming import Claimed
from .notifying import SHORT_TIMEOUT
from .passing import Names, claim_open
from .rows import Row
from .session import Session, WriteOptions
from .sockets import SocketListener, keys_of, remove_closed_sockets
from .statements import SQL
from .waits import progress_of

_NOT_DURABLE = WriteOptions("normal")  # listeners do not survive a power cut
_SHORT = WriteOptions("normal", SHORT_TIMEOUT)
_LOOK_EVERY = 10.0  # seconds
_LOOK_AT = 500  # listeners, and as many files: at worst 10 ms each time


class ResultListener(SocketListener):
    """The listener of a thread that waits for results. It is notified of all until `expect`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cells: list[tuple[int, int]] = []
        super().__init__(session.changed)

    def expect(self, ids: Collection[str] | None, progress: Collection[str] = ()) -> None:
        wanted = [*ids, *map(progress_of, progress)] if ids is not None and progress else ids
        with suppress(ValueError):  # the session is closed, and what it had mapped
            self._session.check_shared()
            self._session.waits.remove(self._cells)
            self._cells = []
            if self.fileno() >= 0:
                self._cells = self._session.waits.add(self.key, wanted)

    def leave(self) -> None:
        self.expect(())
        _drop_row(self._session, self.address)


class WorkListener(SocketListener):
    """The listener of `worker`, or (0) of a process that only fires entries, which has no slot."""

    def __init__(self, session: Session, worker: int) -> None:
        self._session = session
        self.worker = worker
        self.slot: int | None = None  # or all of them were taken
        self.queues: tuple[str, ...] = ()  # of its last claim
        super().__init__(session.changed)

    def clear(self) -> None:
        super().clear()
        # Whoever notified it took its mark away. By the next claim it is known how it is.
        self._mark(idle=True)

    def missed(self) -> bool:
        changed = super().missed()
        if self.worker and not self._session.idle.holds(self.slot, self.key):
            self._session.write(_SHORT, lambda db: self.enter())
        return changed

    def enter(self) -> None:
        """Take a slot, in a transaction; another one if the table was replaced or overwritten."""
        self.slot = self._session.idle.enter(self.key) if self.worker else None

    def note_claim(self, queues: tuple[str, ...], *, idle: bool) -> None:
        """Note in a transaction which queues were claimed from, and whether nothing is left."""
        self.queues = queues
        self._mark(idle=idle)

    def _mark(self, *, idle: bool) -> None:
        if self.slot is not None and self.fileno() >= 0:
            with suppress(ValueError):  # the session is closed, and what it had mapped
                self._session.idle.mark(self.slot, self.queues, idle=idle)

    def decline(self) -> None:
        if self.slot is None or self.fileno() < 0:
            return
        session = self._session
        with suppress(BrokerError, ValueError):  # the store is away, or the session is closed
            session.idle.mark_full(self.slot)
            if session.idle.any(self.queues):
                rows = session.read(SQL["ready_queues"], timeout=SHORT_TIMEOUT)
                ready = {name for (name,) in rows}.intersection(self.queues)
                next((queue for queue in ready if session.wake(queue, 1)), None)

    def leave(self) -> None:
        with suppress(ValueError):
            if self.slot is not None:
                self._session.idle.leave(self.slot, self.key)
        _drop_row(self._session, self.address)


def result_listener(session: Session) -> ResultListener:
    """Return a new listener for results."""
    listener = ResultListener(session)
    with ExitStack() as on_error:
        on_error.callback(listener.close)
        _insert_row(session, listener, None, _NOT_DURABLE)  # a thousand threads may come at once
        listener.expect(None)
        on_error.pop_all()
    return listener


def work_listener(session: Session, worker: int) -> WorkListener:
    """Return a new listener for work."""
    listener = WorkListener(session, worker)
    with ExitStack() as on_error:
        on_error.callback(listener.close)
        _insert_row(session, listener, worker, _SHORT)
        on_error.pop_all()
    return listener


def claim_and_note(
    db: Connection,
    session: Session,
    listener: WorkListener | None,
    claim: Claim,
    known: Names,
    now: float,
    changes: Changes,
) -> Claimed:
    """Claim in a transaction, and note in it whether the worker has room for more.

    `known`: the names of the tasks that the worker knows.
    """
    wanted = claim.queues
    claim, claimed = claim_open(db, claim, known, now, changes)
    idle = claimed.rest is None and len(claimed.deliveries) < claim.limit
    if listener is not None:
        # If all of them are paused: a resume notifies also those that are not marked as idle.
        listener.note_claim(claim.queues or wanted, idle=idle and bool(claim.queues))
    if idle:
        changes.claimed_all(claim.queues)
    else:
        pass_on(db, session, claim.queues, changes)
    return claimed


def _insert_row(
    session: Session, listener: SocketListener, worker: int | None, options: WriteOptions
) -> None:
    row = (listener.address, worker, str(this_process()))

    def work(db: Connection) -> None:
        db.execute(SQL["listen"], row)
        if isinstance(listener, WorkListener):
            listener.enter()

    session.write(options, work)


def _drop_row(session: Session, address: str) -> None:
    with suppress(Exception):  # a row that stays is dropped once its process has exited
        session.write(_SHORT, lambda db: db.execute(SQL["unlisten"], (address,)))


def unlisten_dead(session: Session, options: WriteOptions) -> None:
    """Drop the listeners of processes that have exited."""
    dead = dead_listeners(session.read(SQL["listeners"]))
    if dead:
        drop_listeners(session, dead, options)


def drop_listeners(
    session: Session, addresses: Sequence[tuple[str]], options: WriteOptions = _SHORT
) -> None:
    """Drop listeners whose process has exited, and what stands of them in shared memory."""
    session.write(options, lambda db: db.executemany(SQL["unlisten"], addresses))
    session.waits.forget(keys_of(address for (address,) in addresses))


def dead_listeners(rows: Sequence[Row]) -> list[tuple[str]]:
    """Return the addresses, of the rows of `listeners`, whose process has exited for certain."""
    owners = {owner for _, owner in rows}  # a process may have hundreds
    dead = {owner for owner in owners if is_dead(Owner.parse(owner))}
    return [(address,) for address, owner in rows if owner in dead]


class ListenerTidying:
    """Drops what killed processes have left: their listeners, and the files of their sockets.

    Each costs a sender of notifications one system call. It looks at some of them now and then.
    """

    def __init__(self) -> None:
        self._due = 0.0  # `time.monotonic`
        self._last = ""  # the address at which the last look ended

    def run(self, session: Session) -> None:
        """Look, unless that was done a short time ago."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _LOOK_EVERY
        rows = session.read(SQL["listeners_after"], (self._last, _LOOK_AT), SHORT_TIMEOUT)
        self._last = rows[-1][0] if len(rows) == _LOOK_AT else ""
        if dead := dead_listeners(rows):
            drop_listeners(session, dead)
        if session.begin_look_at_tables(_LOOK_EVERY):
            _forget_strangers(session)
            _free_slots(session)
        remove_closed_sockets(_LOOK_AT)


def _forget_strangers(session: Session) -> None:
    """Forget the waits of those that are no listeners: of an earlier file, or written by others."""
    if keys := session.waits.keys():  # first: a listener has its row before it waits
        rows = session.read(SQL["all_listeners"], timeout=SHORT_TIMEOUT)
        if strangers := keys - _keys_in(rows):
            session.waits.forget(strangers)


def _keys_in(rows: Iterable[Row]) -> set[int]:
    return set(keys_of(address for (address,) in rows))


def _free_slots(session: Session) -> None:
    """Free the slots of workers that have no listener any more."""

    def work(db: Connection) -> None:
        session.idle.leave_all_but(_keys_in(db.execute(SQL["work_listeners"])))

    rows = session.read(SQL["work_listeners"], timeout=SHORT_TIMEOUT)
    if not session.idle.is_left_to(
        _keys_in(rows)
    ):  # or one has come since: so look in a transaction
        session.write(_SHORT, work)
