"""The verbs of the port on SQLite. The SQL stands in `statements.sql`."""

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from itertools import repeat
from math import inf
from sqlite3 import Connection

from ...exceptions import BrokerError
from ...model.graph import Graph
from ...model.message import Attempt, Delivery, Message, Receipt, Record, last_attempt
from ...model.outcome import Policy, Settlement
from ...states import Phase
from ...support.clock import Clock
from ..base import Claim, Listener, Settled, StartedClaims, ToTerminate
from ..owners import Owner, is_dead, this_process
from .listeners import SocketListener
from .location import Location
from .moving import Moving
from .rescue import DeadWorkers, take_back
from .rows import WorkerRow, delivery_of, is_plain, plain_row, record_of, task_row, tokens
from .schedules import Scheduling
from .session import BRIEF, Level, Session
from .settling import ClaimLost, settle_all, settle_each
from .statements import SQL, claim_sql, fetch_sql
from .tools import Tools
from .workflows import drop_revoked, insert, with_inputs

_LARGE_LOG = 64 * 2**20  # bytes: more than `Session` lets it grow to, unless payloads are large
_LOOK_EVERY = 64  # writes between two looks at the log's size
_KEEP_WORKERS = 7 * 86400.0  # seconds that a worker's name stays readable in results
_DURABLE = Level("full")
_FLEETING = Level("normal", BRIEF)  # nobody misses a listener after a power cut


class SqliteBroker(Tools, Scheduling, Moving):
    """A store in one SQLite file."""

    trusted = True
    default_serializer = "pickle"  # only this user can write the file

    def __init__(self, location: Location, clock: Clock) -> None:
        self.location = location
        self.url = location.url
        self.clock = clock
        # What a worker writes may roll back after a power cut, together with what follows from
        # it, and is then run again; only `strict` promises more.
        self._sent = Level("normal" if location.durability == "fast" else "full")
        self._worked = Level("full" if location.durability == "strict" else "normal", BRIEF)
        self._local = threading.local()
        self._sessions: set[Session] = set()
        self._writes = 0
        self._dead_workers = DeadWorkers()
        atexit.register(_close_at_exit, weakref.ref(self))

    # sending

    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> None:
        now = self.clock()
        token = tokens()

        def work(db: Connection) -> list[tuple[str]]:
            # Rows are made as they are written: a list of them would keep the collector busy.
            if all(map(is_plain, messages)):
                db.executemany(SQL["enqueue_plain"], map(plain_row, messages, repeat(now), token))
            else:
                db.executemany(SQL["enqueue"], map(task_row, messages, repeat(now), token))
            return db.execute(SQL["work_listeners"]).fetchall()

        session = self._session()
        self._notify(session, session.write(_DURABLE if durable else self._sent, work))
        self._bound_log(session)

    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> None:
        now = self.clock()

        def work(db: Connection) -> list[tuple[str]]:
            if not db.execute(SQL["known"], (graph.messages[0].id,)).fetchall():
                insert(db, graph, now)
            return db.execute(SQL["work_listeners"]).fetchall()

        session = self._session()
        self._notify(session, session.write(_DURABLE if durable else self._sent, work))
        self._bound_log(session)

    # working

    def claim(self, claim: Claim) -> list[Delivery]:
        return self._session().write(self._worked, lambda db: self._claim(db, claim))

    def settle(self, settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        now = self.clock()
        listeners: list[tuple[str]] = []

        def write_all(db: Connection) -> Settled:
            settle_all(db, settlements, now)
            return finish(db, [])

        def write_each(db: Connection) -> Settled:
            return finish(db, settle_each(db, settlements, now))

        def finish(db: Connection, refused: list[Receipt]) -> Settled:
            if any(each.retry is None for each in settlements):
                listeners.extend(db.execute(SQL["result_listeners"]))
            if any(each.tied or each.retry is not None for each in settlements):
                listeners.extend(db.execute(SQL["work_listeners"]))
            return Settled(refused, self._claim(db, claim) if claim else [])

        session = self._session()
        try:
            settled = session.write(self._worked, write_all)
        except ClaimLost:  # seldom, so only then it is worth asking which one
            listeners.clear()
            settled = session.write(self._worked, write_each)
        self._notify(session, listeners)
        return settled

    def release(self, receipts: Sequence[Receipt]) -> None:
        def work(db: Connection) -> list[tuple[str]]:
            db.executemany(SQL["release"], receipts)
            drop_revoked(db, self.clock())
            return db.execute(SQL["work_listeners"]).fetchall()

        session = self._session()
        self._notify(session, session.write(self._worked, work))

    def promote(self) -> float | None:
        session = self._session()
        now = self.clock()
        upcoming = _next_due(session)
        while upcoming is not None and upcoming <= now:

            def work(db: Connection) -> list[tuple[str]]:
                db.execute(SQL["due"], (now,))
                return db.execute(SQL["work_listeners"]).fetchall()

            self._notify(session, session.write(self._worked, work))
            upcoming = _next_due(session)
        return upcoming

    def rescue(self, policy: Policy, started: StartedClaims) -> list[Record]:
        session = self._session()
        rows = session.read(SQL["workers"], patience=BRIEF)
        dead = self._dead_workers.among(map(WorkerRow._make, rows))
        if not dead:
            return []
        now = self.clock()

        def work(db: Connection) -> list[str]:
            ids = [id for worker in dead for id in take_back(db, worker, policy, started, now)]
            drop_revoked(db, now)
            return ids

        ids = session.write(self._worked, work)
        self._drop_dead_listeners(session)
        self._notify(
            session, session.read(SQL["work_listeners"]) + session.read(SQL["result_listeners"])
        )
        return [record for record in self.fetch(ids) if record]

    def to_terminate(self, worker: int) -> list[ToTerminate]:
        rows = self._session().read(SQL["to_terminate"], (worker,), BRIEF)
        return [ToTerminate(Receipt(seq, token), id) for seq, token, id in rows]

    # results

    def fetch(self, ids: Sequence[str]) -> list[Record | None]:
        session = self._session()
        if len(ids) == 1:
            rows = session.read(SQL["fetch"], (ids[0],))
            return [record_of(rows[0]) if rows else None]
        found: dict[str, Record] = {}
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            rows = session.read(fetch_sql(len(part)), tuple(part))
            found.update((str(row[0]), record_of(row)) for row in rows)
        return [found.get(id) for id in ids]

    def report(self, id: str, state: str, meta: bytes, serializer: str) -> bool:
        def work(db: Connection) -> tuple[bool, list[tuple[str]]]:
            row = (state, meta, serializer, id)
            return db.execute(SQL["report"], row).rowcount > 0, list(
                db.execute(SQL["result_listeners"])
            )

        session = self._session()
        there, listeners = session.write(self._worked, work)
        self._notify(session, listeners)
        return there

    def forget(self, ids: Sequence[str]) -> int:
        rows = [(id,) for id in ids]
        return self._session().write(
            self._sent, lambda db: db.executemany(SQL["forget"], rows).rowcount
        )

    def attempts(self, id: str) -> list[Attempt]:
        session = self._session()
        earlier = [Attempt._make(row) for row in session.read(SQL["attempts"], (id,))]
        return [*earlier, *last_attempt(self.fetch([id])[0], len(earlier))]

    def cancel(
        self, ids: Sequence[str], keep: float | None, *, terminate: bool = False
    ) -> list[str]:
        now = self.clock()
        keep_until = inf if keep is None else now + keep

        def work(db: Connection) -> list[str]:
            values = (keep_until, terminate)
            once = dict.fromkeys(ids)
            found = [id for id in once if db.execute(SQL["revoke"], (*values, id)).rowcount]
            drop_revoked(db, now)
            return found

        session = self._session()
        found = session.write(self._sent, work)
        if found:
            self._notify(session, session.read(SQL["result_listeners"]))
            if terminate:
                self._notify(session, session.read(SQL["work_listeners"]))
        return found

    def revive(self, ids: Sequence[str]) -> list[str]:
        def work(db: Connection) -> tuple[list[str], list[tuple[str]]]:
            for phase in Phase:
                if phase > Phase.SUCCEEDED:
                    rows = [(phase.name.lower(), id, phase) for id in ids]
                    db.executemany(SQL["remember_last"], rows)
            done = [id for id in ids if db.execute(SQL["revive"], (id,)).rowcount]
            for id in done:
                db.execute(SQL["reopen"], (id,))
                db.execute(SQL["unskip"], (id,))
            return done, db.execute(SQL["work_listeners"]).fetchall()

        session = self._session()
        done, listeners = session.write(self._sent, work)
        self._notify(session, listeners)
        return done

    def sweep(self, limit: int) -> int:
        values = (self.clock(), limit)

        def work(db: Connection) -> int:
            swept = db.execute(SQL["sweep"], values).rowcount
            if swept:
                db.execute(SQL["sweep_groups"])
            return swept

        return self._session().write(self._worked, work)

    # workers

    def register(self, name: str, info: str) -> int:
        me = this_process()
        now = self.clock()
        row = (name, str(me), me.pid, me.host, now, now, info)
        return self._session().write(
            self._worked, lambda db: int(db.execute(SQL["register"], row).lastrowid or 0)
        )

    def beat(self, worker: int, info: str) -> None:
        row = (self.clock(), info, worker)
        self._session().write(self._worked, lambda db: db.execute(SQL["beat"], row))

    def unregister(self, worker: int) -> None:
        now = self.clock()

        def work(db: Connection) -> list[tuple[str]]:
            db.execute(SQL["release_all"], (worker,))
            drop_revoked(db, now)
            db.execute(SQL["stop"], (now, worker))
            return db.execute(SQL["work_listeners"]).fetchall()

        session = self._session()
        self._notify(session, session.write(self._worked, work))

    # waiting

    def work_listener(self, worker: int) -> Listener:
        return self._listen(worker)

    def result_listener(self) -> Listener:
        session = self._session()
        if session.listener is None or session.listener.fileno() < 0:
            session.listener = self._listen(None)
        return session.listener

    def _listen(self, worker: int | None) -> SocketListener:
        session = self._session()

        def unlisten(address: str) -> None:
            with suppress(Exception):  # a row that stays is swept with its dead owner
                session.write(_FLEETING, lambda db: db.execute(SQL["unlisten"], (address,)))

        listener = SocketListener(session.changed, unlisten)
        row = (listener.address, worker, str(this_process()))
        session.write(_FLEETING, lambda db: db.execute(SQL["listen"], row))
        return listener

    # upkeep

    def upkeep(self, *, idle: bool = False) -> None:
        session = self._session()
        session.check_identity()
        if session.log_size() > (0 if idle else _LARGE_LOG):
            session.checkpoint()
        if idle:
            cutoff = (self.clock() - _KEEP_WORKERS,)
            session.write(self._worked, lambda db: db.execute(SQL["forget_workers"], cutoff))

    def close(self) -> None:
        for session in tuple(self._sessions):
            if session.pid == os.getpid():
                session.close()
        self._sessions.clear()
        self._local = threading.local()

    def close_here(self) -> None:
        """Let go of what this thread holds. At the end of the program daemon threads may be in
        the midst of a transaction; the system takes from them what they have."""
        held: _ThreadSession | None = getattr(self._local, "held", None)
        if held is not None:
            del self._local.held

    # inside

    def _session(self) -> Session:
        held: _ThreadSession | None = getattr(self._local, "held", None)
        if held is not None and held.session.pid == os.getpid():
            return held.session
        # In a forked child they are the parent's. (A copy: other threads come and go.)
        if any(session.pid != os.getpid() for session in tuple(self._sessions)):
            self._sessions = set()
        session = Session(self.location)
        self._sessions.add(session)
        self._local.held = _ThreadSession(session, self._sessions)
        return session

    def _claim(self, db: Connection, claim: Claim) -> list[Delivery]:
        if claim.limit <= 0 or not claim.queues:
            return []
        values: dict[str, object] = {f"q{n}": name for n, name in enumerate(claim.queues)}
        values.update(worker=claim.worker, limit=claim.limit, now=self.clock())
        look, take = claim_sql(len(claim.queues))
        rows = db.execute(look, values).fetchall()
        if rows:
            db.execute(take, values)
        deliveries = map(delivery_of, rows)
        return [with_inputs(db, each) if each.woken_by else each for each in deliveries]

    def _notify(self, session: Session, listeners: Sequence[tuple[str]]) -> None:
        if listeners:
            session.notifier.notify([address for (address,) in listeners])

    def _bound_log(self, session: Session) -> None:
        """Where no worker runs nobody else keeps the log from growing for ever."""
        self._writes += 1
        if self._writes % _LOOK_EVERY == 0 and session.log_size() > _LARGE_LOG:
            with suppress(BrokerError):  # what was sent is stored all the same
                session.checkpoint()

    def _drop_dead_listeners(self, session: Session) -> None:
        rows = session.read(SQL["listeners"])
        silent = [(address,) for address, owner in rows if is_dead(Owner.parse(owner))]
        if silent:
            session.write(self._worked, lambda db: db.executemany(SQL["unlisten"], silent))


def _close_at_exit(broker: "weakref.ref[SqliteBroker]") -> None:
    still_there = broker()
    if still_there is not None:
        still_there.close_here()


class _ThreadSession:
    """What one thread has open; put away when the thread ends."""

    def __init__(self, session: Session, sessions: set[Session]) -> None:
        self.session = session
        self._sessions = sessions

    def __del__(self) -> None:
        if self.session.pid != os.getpid() or self.session not in self._sessions:
            return  # in a forked child it is the parent's, and stays in its broker's set
        if sys.is_finalizing():
            return  # its thread may have been stopped for good with a lock in its hands
        self._sessions.discard(self.session)
        self.session.close()


def _next_due(session: Session) -> float | None:
    moment: float | None
    ((moment,),) = session.read(SQL["next_due"], patience=BRIEF)
    return moment
