"""The broker: every verb of the port on SQLite, in the order of the port.

A verb runs one transaction, or one query, in the session of the calling thread. The SQL is in the
`.sql` files, and what takes more than a few statements in the module of its subject. How a verb
writes is in store.py; the verbs of moving are in transfers.py.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from sqlite3 import Connection

from ...exceptions import BrokerTooOld
from ...model.entry import Entry, Fired, Firing
from ...model.graph import Graph, Members
from ...model.message import Attempt, Delivery, Message, Receipt, Record, last_attempt
from ...model.outcome import Settlement
from ...model.output import OutputLine
from ...model.search import EVERYTHING, Search
from ...model.step import Event, Step
from ...states import Phase
from ..base import (
    Claim,
    DecideRescue,
    Examination,
    Listener,
    QueueCount,
    Settled,
    ToTerminate,
    WorkerInfo,
)
from ..output import lines_of
from .changes import Changes, notify, notify_of_sent
from .claiming import Claimed, claim_rest, promote, set_unreadable_etas_aside
from .guests import SqliteHost
from .listeners import result_listener, unlisten_dead, work_listener
from .notifying import SHORT_TIMEOUT
from .orders import SqliteOrders, sweep_orders
from .output import OUTPUT, outputs_of
from .registry import is_dead, register, unregister
from .rescue import release, take_all_back
from .rows import WorkerRow, counts_of, record_of
from .schedules import delete_entries, entries_of, fire, write_entry
from .sending import insert_messages, insert_or_replace
from .settling import ClaimLostError, report, settle_all, settle_each
from .statements import SQL, fetch_sql, listing_sql
from .statistics import SqliteStatistics
from .steps import EVENT, STEPS, emit, event_of, steps_of, sweep
from .store import DURABLE, LARGE_LOG
from .transfers import SqliteTransfers
from .workflows import insert_new, members_of, purge_waiting, revive, revoke

_KEEP_WORKERS = 7 * 86400.0  # seconds that a worker's name stays readable in results
_FETCH = 500  # ids in one query


class SqliteBroker(SqliteHost, SqliteOrders, SqliteTransfers, SqliteStatistics):
    """A store in one SQLite file."""

    trusted = True
    default_serializer = "pickle"  # only this user can write the file

    # sending

    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> None:
        now, session = self.clock(), self._session()
        options = DURABLE if durable else self._client_writes
        session.write(options, lambda db: insert_messages(db, messages, now))
        notify_of_sent(session, messages, self._work_listeners)
        self._bound_log()

    def enqueue_or_replace(self, message: Message, sent: float, *, durable: bool = False) -> bool:
        options = DURABLE if durable else self._client_writes
        stored = self._write_and_notify(
            options, lambda db, changes: insert_or_replace(db, message, sent, changes)
        )
        self._bound_log()
        return stored

    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> None:
        now = self.clock()

        self._write_and_notify(
            DURABLE if durable else self._client_writes,
            lambda db, changes: insert_new(db, graph, now, changes),
        )
        self._bound_log()

    # working

    def claim(self, claim: Claim) -> list[Delivery]:
        return claim_rest(self._claim(claim), self._claim)

    def settle(self, settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        now = self.clock()
        session, changes = self._session(), Changes()
        durable = any(each.steps for each in settlements)  # what they did is not to be done again
        options = self._step_writes if durable else self._worker_writes

        def work(
            settle: Callable[..., list[Receipt]], db: Connection
        ) -> tuple[list[Receipt], Claimed]:
            refused = settle(db, settlements, now, changes)
            claimed = self._claim_in(db, claim, changes) if claim else Claimed([], None)
            changes.find_ids(db, session)
            return refused, claimed

        try:
            refused, claimed = session.write(options, partial(work, settle_all))
        except ClaimLostError:  # rare, so only now it is worth finding out which one
            refused, claimed = session.write(options, partial(work, settle_each))
        notify(session, changes, self._work_listeners)
        return Settled(refused, claim_rest(claimed, self._claim))

    def release(self, receipts: Sequence[Receipt]) -> None:
        now = self.clock()
        self._write_and_notify(
            self._worker_writes, lambda db, changes: release(db, receipts, now, changes)
        )

    def promote(self) -> float | None:
        now = self.clock()
        upcoming: float | None
        while True:
            ((upcoming, unreadable),) = self._session().read(SQL["next_eta"], timeout=SHORT_TIMEOUT)
            if not unreadable and (upcoming is None or upcoming > now):
                return upcoming
            change = set_unreadable_etas_aside if unreadable else promote
            self._write_and_notify(self._worker_writes, partial(change, now=now))

    def begin_rescue(self, every: float) -> bool:
        return self._session().begin_rescue(every)

    def rescue(self, decide: DecideRescue) -> list[Record]:
        session = self._session()
        rows = session.read(SQL["workers"], timeout=SHORT_TIMEOUT)
        dead = self._dead_workers.among(map(WorkerRow._make, rows))
        if not dead:
            return []
        now = self.clock()

        ids = self._write_and_notify(
            self._worker_writes, lambda db, changes: take_all_back(db, dead, decide, now, changes)
        )
        unlisten_dead(session, self._worker_writes)
        return [record for record in self.fetch(ids) if record]

    def to_terminate(self, worker: int) -> list[ToTerminate]:
        rows = self._session().read(SQL["to_terminate"], (worker,), SHORT_TIMEOUT)
        return [ToTerminate(Receipt(seq, token), id) for seq, token, id in rows]

    # events

    def emit(self, event: Event) -> bool:
        now = self.clock()
        return self._write_and_notify(
            self._client_writes, lambda db, changes: emit(db, event, now, changes)
        )

    def event(self, key: str) -> Event | None:
        return event_of(key, self._session().read(EVENT, (key, self.clock())))

    # results

    def fetch(self, ids: Sequence[str]) -> list[Record | None]:
        session = self._session()
        if len(ids) == 1:
            rows = session.read(SQL["fetch"], (ids[0],))
            return [record_of(rows[0]) if rows else None]
        found: dict[str, Record] = {}
        for start in range(0, len(ids), _FETCH):
            part = tuple(ids[start : start + _FETCH])
            records = map(record_of, session.read(fetch_sql(len(part)), part))
            found.update((record.message.id, record) for record in records)
        return [found.get(id) for id in ids]

    def report(self, id: str, state: str, meta: bytes, serializer: str) -> bool:
        return self._write_and_notify(
            self._worker_writes,
            lambda db, changes: report(db, id, state, meta, serializer, changes),
        )

    def forget(self, ids: Sequence[str]) -> int:
        rows = [(id,) for id in ids]
        return self._write(
            self._client_writes, lambda db: db.executemany(SQL["forget"], rows).rowcount
        )

    def attempts(self, id: str) -> list[Attempt]:
        earlier = [Attempt._make(row) for row in self._session().read(SQL["attempts"], (id,))]
        return [*earlier, *last_attempt(self.fetch([id])[0], len(earlier))]

    def steps(self, id: str) -> list[Step]:
        return steps_of(id, self._session().read(STEPS, (id,)))

    def output(self, id: str, after: tuple[int, int] = (0, 0)) -> list[OutputLine]:
        outputs = outputs_of(self._session().read(OUTPUT, (id, *after)))
        return lines_of(id, outputs, after)

    def dependents(self, id: str, *, group: bool = False) -> list[str]:
        return [name for (name,) in self._session().read(SQL["dependent_ids"], (id, group))]

    def members(self, group: str) -> Members:
        return members_of(self._session().read, group)

    def cancel(
        self, ids: Sequence[str], keep: float | None, *, terminate: bool = False
    ) -> list[str]:
        now = self.clock()
        kept = inf if keep is None else keep

        found = self._write_and_notify(
            self._client_writes,
            lambda db, changes: revoke(db, ids, kept, terminate, now, changes),
        )
        if found and terminate:
            self._session().notify_workers()  # one of them runs the task
        return found

    def revive(self, ids: Sequence[str]) -> list[str]:
        return self._write_and_notify_all(self._client_writes, lambda db: revive(db, ids))

    def sweep(self, limit: int) -> int:
        now = self.clock()

        def work(db: Connection) -> int:
            sweep_orders(db, now)
            return sweep(db, limit, now)

        return self._write(self._worker_writes, work)

    # schedules

    def schedule(self, entries: Sequence[Entry]) -> list[str]:
        def work(db: Connection) -> list[str]:
            return [each.name for each in entries if not write_entry(db, each)]

        return self._write_and_notify_all(self._client_writes, work)

    def unschedule(self, names: Sequence[str]) -> list[str]:
        return self._write(self._client_writes, lambda db: delete_entries(db, names))

    def schedules(self, due_by: float | None = None) -> list[Entry]:
        values = () if due_by is None else (due_by,)
        rows = self._session().read(SQL["schedules_due" if values else "schedules"], values)
        return entries_of(rows).readable(self.url)

    def entry(self, name: str) -> Entry | None:
        found = entries_of(self._session().read(SQL["schedule_named"], (name,)))
        return next(iter(found.readable(self.url)), None)

    def next_fire(self) -> float | None:
        ((due,),) = self._session().read(SQL["next_fire"])
        return None if due is None else float(due)

    def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        now = self.clock()
        # A power cut may undo a firing, but only as a whole, and then the entry is due once more.
        return self._write_and_notify(
            self._worker_writes,
            lambda db, changes: [fire(db, each, now, changes) for each in firings],
        )

    # workers

    def register(self, name: str, info: str) -> int:
        now, locks, session = self.clock(), self._liveness, self._session()
        locks.open()
        return session.write(self._worker_writes, lambda db: register(db, locks, name, info, now))

    def beat(self, worker: int, info: str) -> None:
        row = (self.clock(), info, worker)
        self._write(self._worker_writes, lambda db: db.execute(SQL["beat"], row))

    def unregister(self, worker: int) -> None:
        now = self.clock()
        self._write_and_notify(
            self._worker_writes, lambda db, changes: unregister(db, worker, now, changes)
        )
        self._liveness.release(worker)

    # waiting

    def work_listener(self, worker: int) -> Listener:
        listener = work_listener(self._session(), worker)
        self._work_listeners[worker] = listener
        return listener

    def result_listener(self) -> Listener:
        session = self._session()
        if session.listener is None or session.listener.fileno() < 0:
            session.listener = result_listener(session)
        return session.listener

    # upkeep

    def upkeep(self, *, idle: bool = False) -> None:
        session = self._session()
        session.check_identity()
        if session.log_size() > (0 if idle else LARGE_LOG):
            session.checkpoint()
        else:
            session.checkpoint_when_quiet()
        if idle:
            cutoff = (self.clock() - _KEEP_WORKERS,)
            session.write(self._worker_writes, lambda db: db.execute(SQL["forget_workers"], cutoff))
        self._listener_tidying.run(session)

    def close(self) -> None:
        self._sessions.close()

    # what tools ask

    def revision(self) -> object:
        return self._session().read("pragma data_version")

    def counts(self) -> list[QueueCount]:
        return counts_of(self._session().read(SQL["counts"]))

    def listing(
        self, phases: Sequence[Phase], limit: int, search: Search = EVERYTHING
    ) -> list[Record]:
        pairs = None if search.headers is None else json.dumps(list(search.headers.items()))
        values = {**search._asdict(), "headers": pairs, "limit": limit}
        sql = listing_sql(phases, newest=search.newest)
        return list(map(record_of, self._session().read(sql, values)))

    def workers(self) -> list[WorkerInfo]:
        rows = map(WorkerRow._make, self._session().read(SQL["workers"]))
        return [row.public for row in rows if not is_dead(row, self.location.path)]

    def purge(self, queues: Sequence[str] | None) -> int:
        now = self.clock()
        return self._write_and_notify(
            self._client_writes, lambda db, changes: purge_waiting(db, queues, now, changes)
        )

    # what only some stores offer

    def examine(self, *, thorough: bool = False) -> Examination:
        from .findings import examine

        return examine(self._existing(), self.location, self.clock(), thorough=thorough)

    def mend(self) -> list[str]:
        from .checkup import repair

        return repair(self._existing(), self._client_writes)

    def compact(self) -> None:
        self._existing().vacuum()

    def backup(self, path: str) -> None:
        from .backup import copy_as_it_is, write_backup

        try:
            copy = self._existing().copy_to
        except BrokerTooOld:  # a backup is wanted before an upgrade, above all
            copy = partial(copy_as_it_is, self.location.path)
        write_backup(copy, path)
