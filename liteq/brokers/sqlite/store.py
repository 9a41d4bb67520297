"""Share what the verbs need: sessions, and transactions that notify whom they concern."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from sqlite3 import Connection
from typing import TypeVar
from weakref import WeakValueDictionary

from ...exceptions import BrokerError
from ...support.clock import Clock
from ..base import Claim
from ..expiring import Expiry
from ..knowledge import Knowledge
from ..transfer import Movable
from .changes import Changes, notify
from .claiming import Claimed
from .existence import check_exists
from .listeners import ListenerTidying, WorkListener, claim_and_note
from .liveness import make_liveness_locks
from .location import SqliteLocation
from .notifying import SHORT_TIMEOUT
from .rescue import DeadWorkers
from .session import Session, WriteOptions
from .sessions import ThreadSessions

T = TypeVar("T")

DURABLE = WriteOptions("full")
LARGE_LOG = 64 * 2**20  # bytes: `Session` keeps it smaller, unless payloads are large
_CHECK_LOG_EVERY = 64  # writes


class SqliteStore(Movable):
    """A store in one SQLite file, as the verbs use it."""

    def __init__(self, location: SqliteLocation, clock: Clock) -> None:
        self.location = location
        self.url: str = location.url
        self.clock = clock
        # After a power cut, what a worker wrote may be undone together with what follows from it,
        # and is then run again; only `strict` promises more.
        self._client_writes = WriteOptions("normal" if location.durability == "fast" else "full")
        self._worker_writes = WriteOptions(
            "full" if location.durability == "strict" else "normal", SHORT_TIMEOUT
        )
        self._step_writes = self._client_writes._replace(timeout=SHORT_TIMEOUT)
        self._sessions = ThreadSessions(location)
        self._writes = 0
        self._dead_workers = DeadWorkers(location.path)
        self._listener_tidying = ListenerTidying()
        self._work_listeners: WeakValueDictionary[int, WorkListener] = WeakValueDictionary()
        self._knowledge = Knowledge()
        self._expiry = Expiry()
        self._liveness = make_liveness_locks(location.path)

    def check_exists(self) -> None:
        check_exists(self.location)

    def _session(self) -> Session:
        """Return the session of the calling thread."""
        return self._sessions.current()

    def _existing(self) -> Session:
        """Return the session. Raises BrokerUnavailable if there is no store: tools create none."""
        self.check_exists()
        return self._session()

    def _claim(self, claim: Claim) -> Claimed:
        return self._write_and_notify(
            self._worker_writes, lambda db, changes: self._claim_in(db, claim, changes)
        )

    def _claim_in(self, db: Connection, claim: Claim, changes: Changes) -> Claimed:
        listener = self._work_listeners.get(claim.worker)
        known = self._knowledge.of(claim.worker)
        session, now = self._session(), self.clock()
        claimed = claim_and_note(db, session, listener, claim, known, now, changes)
        if changes.left:
            changes.log_left = partial(self._knowledge.log_left, claim.worker)
        return claimed

    def _write(self, options: WriteOptions, work: Callable[[Connection], T]) -> T:
        return self._sessions.current().write(options, work)

    def _write_and_notify(
        self, options: WriteOptions, work: Callable[[Connection, Changes], T]
    ) -> T:
        """Run `work` in a transaction, then notify those whom its changes concern."""
        session, changes = self._session(), Changes()

        def work_and_look(db: Connection) -> T:
            value = work(db, changes)
            changes.find_ids(db, session)
            return value

        value = session.write(options, work_and_look)
        notify(session, changes, self._work_listeners)
        return value

    def _write_and_notify_all(self, options: WriteOptions, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction, then notify all that listen for work."""
        value = self._write(options, work)
        self._session().notify_workers()
        return value

    def _bound_log(self) -> None:
        """Checkpoint a large log: where no worker runs, it would grow for ever."""
        self._writes += 1
        if self._writes % _CHECK_LOG_EVERY == 0 and self._session().log_size() > LARGE_LOG:
            with suppress(BrokerError):  # the messages are stored all the same
                self._session().checkpoint()
