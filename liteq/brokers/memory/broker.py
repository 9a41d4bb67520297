"""The verbs of the port, each the plainest code that is right.

It reads all tasks where it needs some of them, and copies its tables where others keep a log.
What it answers is what the contract means; other brokers are held against it.
"""

import os
import socket
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple
from weakref import WeakSet

from ...model.graph import Graph, Members
from ...model.message import Attempt, Delivery, Message, Receipt, Record, last_attempt
from ...model.outcome import Settlement
from ...states import Phase
from ...support.clock import Clock, system_clock
from ..base import Claim, DecideRescue, QueueCount, Settled, ToTerminate, WorkerInfo
from ..walk import propagate_ends
from .listeners import MemoryListener
from .records import eta, headers_of, kept_until, new
from .schedules import Scheduling
from .workflows import Groups, MemoryDependents, Places, ended

_FINAL = tuple(phase for phase in Phase if phase.final)


class _Revoked(NamedTuple):
    """A task that is not to run again."""

    keep: float | None  # seconds that it is kept once it has ended cancelled
    terminate: bool  # whoever runs it is to end it


_NOT_REVOKED = _Revoked(None, terminate=False)


class MemoryBroker(Scheduling):
    """A store in this process, shared by its threads."""

    url = "memory://"
    local = True
    trusted = True
    default_serializer = "pickle"  # the bytes never leave the process

    def __init__(self, clock: Clock = system_clock) -> None:
        super().__init__()
        self.clock = clock
        self._lock = threading.RLock()
        self._tasks: dict[str, Record] = {}  # by id, in the order they were sent
        self._holders: dict[str, int] = {}  # the worker of each running task
        self._workers: dict[int, WorkerInfo] = {}
        self._attempts: dict[str, list[Attempt]] = {}  # those that are over, but for the last
        self._revoked: dict[str, _Revoked] = {}
        self._places: Places = {}
        self._groups: Groups = {}
        self._ended: list[str] = []  # in this transaction
        self._dead: set[int] = set()
        self._tokens = count(1)  # one row for all tasks: no receipt ever fits a second claim
        self._local = threading.local()
        self._work_listeners: WeakSet[MemoryListener] = WeakSet()
        self._result_listeners: WeakSet[MemoryListener] = WeakSet()

    # sending

    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> None:
        with self._transaction():
            for message in messages:
                if message.id not in self._tasks:
                    self._put(new(message, self.clock()))

    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> None:
        with self._transaction():
            if graph.messages[0].id not in self._tasks:
                self._dependents().insert(
                    graph, [new(each, self.clock()) for each in graph.messages]
                )

    # working

    def claim(self, claim: Claim) -> list[Delivery]:
        with self._transaction():
            ready = [r for r in self._in(Phase.READY) if r.message.queue in claim.queues]
            ready.sort(key=lambda r: -r.message.priority)  # stable: of equals, first sent first
            return [self._hand_out(each, claim.worker) for each in ready[: max(claim.limit, 0)]]

    def settle(self, settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        with self._transaction():
            refused = [each.receipt for each in settlements if not self._settle(each)]
            self._propagate_ends()
            return Settled(refused, self.claim(claim) if claim else [])

    def release(self, receipts: Sequence[Receipt]) -> None:
        with self._transaction():
            for record in filter(None, map(self._held, receipts)):
                self._take_back(record)

    def promote(self) -> float | None:
        with self._transaction():
            for record in self._in(Phase.SCHEDULED):
                if eta(record) <= self.clock():
                    self._put(record._replace(phase=Phase.READY))
            return min(map(eta, self._in(Phase.SCHEDULED)), default=None)

    def rescue(self, decide: DecideRescue) -> list[Record]:
        with self._transaction():
            rescued = []
            for worker in [each for each in self._present() if each.id in self._dead]:
                held = [self._delivery(record) for record in self._held_by(worker.id)]
                released, settlements = decide(worker.info, held)
                for record in filter(None, map(self._held, released)):
                    self._take_back(record)
                for each in settlements:
                    self._settle(each)
                self._stop(worker.id)
                rescued += [delivery.message.id for delivery in held]
            self._propagate_ends()
            return [self._tasks[id] for id in rescued]

    def to_terminate(self, worker: int) -> list[ToTerminate]:
        with self._lock:
            return [
                ToTerminate(Receipt(record.message.id, record.token), record.message.id)
                for record in self._held_by(worker)
                if self._revoked.get(record.message.id, _NOT_REVOKED).terminate
            ]

    # results

    def fetch(self, ids: Sequence[str]) -> list[Record | None]:
        with self._lock:
            return [self._tasks.get(id) for id in ids]

    def report(self, id: str, state: str, meta: bytes, serializer: str) -> bool:
        with self._transaction():
            record = self._tasks.get(id)
            if record is None or record.phase.final:
                return False
            self._put(record._replace(reported=state, result=meta, result_serializer=serializer))
            return True

    def forget(self, ids: Sequence[str]) -> int:
        with self._transaction():
            wanted = [r for r in self._in(*_FINAL) if r.message.id in ids]
            return self._drop([r for r in wanted if not self._dependents().needed(r)])

    def attempts(self, id: str) -> list[Attempt]:
        with self._lock:
            earlier = self._attempts.get(id, [])
            return [*earlier, *last_attempt(self._tasks.get(id), len(earlier))]

    def followers(self, id: str, *, group: bool = False) -> list[str]:
        with self._lock:
            return self._dependents().followers(id, barrier=group)

    def members(self, group: str) -> Members:
        with self._lock:
            return self._dependents().members(group)

    def cancel(
        self, ids: Sequence[str], keep: float | None, *, terminate: bool = False
    ) -> list[str]:
        with self._transaction():
            known = [id for id in dict.fromkeys(ids) if id in self._tasks]
            found = [id for id in known if not self._tasks[id].phase.final]
            for id in found:
                self._revoked[id] = _Revoked(keep, terminate)
                self._put(self._tasks[id])
            if found and terminate:
                _notify(self._work_listeners)
            return found

    def revive(self, ids: Sequence[str]) -> list[str]:
        with self._transaction():
            known = [id for id in dict.fromkeys(ids) if id in self._tasks]
            lost = [id for id in known if self._tasks[id].phase > Phase.SUCCEEDED]
            for id in lost:
                record = self._tasks[id]
                self._attempts[id] = self.attempts(id)
                self._revoked.pop(id, None)
                message = record.message._replace(retries=0, eta=None, expires=None)
                fresh = record._replace(message=message, phase=Phase.READY, lost=0, reported=None)
                fresh = fresh._replace(started=None, finished=None, keep_until=None)
                self._put(fresh._replace(result=None, result_serializer=None, traceback=None))
                self._dependents().unskip(id)
            return lost

    def sweep(self, limit: int) -> int:
        with self._transaction():
            over = [r for r in self._in(*_FINAL) if kept_until(r) <= self.clock()]
            free = [record for record in over if not self._dependents().needed(record)]
            return self._drop(sorted(free, key=kept_until)[:limit])

    # workers

    def register(self, name: str, info: str) -> int:
        with self._transaction():
            id, pid, now = len(self._workers) + 1, os.getpid(), self.clock()
            host = socket.gethostname()
            self._workers[id] = WorkerInfo(id, name, pid, host, now, now, None, info)
            return id

    def beat(self, worker: int, info: str) -> None:
        with self._transaction():
            self._workers[worker] = self._workers[worker]._replace(beat=self.clock(), info=info)

    def unregister(self, worker: int) -> None:
        with self._transaction():
            for record in self._held_by(worker):
                self._take_back(record)
            self._stop(worker)

    def mark_dead(self, worker: int) -> None:
        """For tests: as if the process of `worker` had been killed."""
        with self._lock:
            self._dead.add(worker)

    # waiting

    def work_listener(self, worker: int) -> MemoryListener:
        return self._listen(self._work_listeners)

    def result_listener(self) -> MemoryListener:
        listener: MemoryListener | None = getattr(self._local, "listener", None)
        if listener is None or listener.fileno() < 0:
            listener = self._local.listener = self._listen(self._result_listeners)
        return listener

    # upkeep

    def upkeep(self, *, idle: bool = False) -> None:
        """Nothing here needs any."""

    def close(self) -> None:
        """Close the listeners. The tasks stay."""
        with self._lock:
            for listener in (*self._work_listeners, *self._result_listeners):
                listener.close()

    # what tools ask

    def counts(self) -> list[QueueCount]:
        with self._lock:
            found = Counter((r.message.queue, r.phase) for r in self._tasks.values())
        return [QueueCount(*key, found[key]) for key in sorted(found)]

    def listing(
        self,
        phases: Sequence[Phase],
        limit: int,
        *,
        task: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> list[Record]:
        with self._lock:
            found = self._in(*phases)
        if task is not None:
            found = [record for record in found if record.message.task == task]
        if headers is not None:
            wanted = headers.items()
            found = [each for each in found if any(pair in headers_of(each) for pair in wanted)]
        return found[:limit]

    def workers(self) -> list[WorkerInfo]:
        with self._lock:
            return [worker for worker in self._present() if worker.id not in self._dead]

    def purge(self, queues: Sequence[str] | None) -> int:
        with self._transaction():
            waiting = self._in(Phase.SCHEDULED, Phase.READY)
            found = [r for r in waiting if queues is None or r.message.queue in queues]
            tied = [record for record in found if self._dependents().tied(record.message.id)]
            for record in tied:
                self._put(self._ended_now(record._replace(phase=Phase.CANCELLED), 0))
            return len(tied) + self._drop([r for r in found if r not in tied])

    # inside

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it, or none; nobody sees the half of it. Records are values, so a copy is all."""
        with self._lock:
            tables = vars(self).items()
            before = {name: table.copy() for name, table in tables if isinstance(table, dict)}
            try:
                yield
                self._propagate_ends()
            except BaseException:
                vars(self).update(before)
                raise

    def _put(self, record: Record) -> None:
        """Write `record`, and ring for whoever may want to know."""
        revoked = self._revoked.get(record.message.id)
        if revoked is not None and record.phase < Phase.RUNNING:
            record = self._ended_now(record._replace(phase=Phase.CANCELLED), revoked.keep)
        for value in (record.message.payload, record.result or b""):
            memoryview(value)  # raises for what is no bytes: no store would take it
        self._tasks[record.message.id] = record
        if record.phase.final:
            self._ended.append(record.message.id)
            _notify(self._result_listeners)
        elif record.phase is not Phase.RUNNING:
            _notify(self._work_listeners)

    def _propagate_ends(self) -> None:
        """Wake or skip what waited for the tasks that have ended."""
        while self._ended:
            ended_now, self._ended = self._ended, []
            records = [self._tasks[id] for id in ended_now if id in self._tasks]
            # The walk has propagated the tasks that it ended itself.
            propagate_ends(self._dependents(), [ended(record) for record in records])
            self._ended = []

    def _dependents(self) -> MemoryDependents:
        return MemoryDependents(self._tasks, self._places, self._groups, self.clock(), self._put)

    def _drop(self, records: Iterable[Record]) -> int:
        gone = [self._tasks.pop(record.message.id) for record in records]
        for record in gone:
            self._attempts.pop(record.message.id, None)
            self._revoked.pop(record.message.id, None)
            self._places.pop(record.message.id, None)
        return len(gone)

    def _in(self, *phases: Phase) -> list[Record]:
        """The tasks in `phases`, in the order they were sent."""
        return [record for record in self._tasks.values() if record.phase in phases]

    def _held_by(self, worker: int) -> list[Record]:
        return [self._tasks[id] for id, holder in self._holders.items() if holder == worker]

    def _held(self, receipt: Receipt) -> Record | None:
        """The running task of `receipt`; None when that claim was lost."""
        record = self._tasks.get(str(receipt.key))
        holds = record and record.phase is Phase.RUNNING and record.token == receipt.token
        return record if holds else None

    def _hand_out(self, record: Record, worker: int) -> Delivery:
        token, name = next(self._tokens), self._workers[worker].name
        self._holders[record.message.id] = worker
        claimed = record._replace(
            phase=Phase.RUNNING, token=token, worker=name, started=self.clock()
        )
        self._put(claimed)
        return self._delivery(claimed)

    def _delivery(self, record: Record) -> Delivery:
        id, dependents = record.message.id, self._dependents()
        return Delivery(
            record.message,
            Receipt(id, record.token),
            record.lost,
            record.reported,
            len(self._attempts.get(id, ())),
            dependents.tied(id),
            record.woken_by,
            dependents.inputs(id),
        )

    def _take_back(self, record: Record) -> None:
        """Make a running task ready again."""
        del self._holders[record.message.id]
        self._put(record._replace(phase=Phase.READY, started=None))

    def _settle(self, each: Settlement) -> bool:
        """Write one settlement; say whether its claim still held."""
        record = self._held(each.receipt)
        if record is None:
            return False
        del self._holders[record.message.id]
        if each.retry is not None:
            self._remember(record, each.at, each.why, each.traceback)
        record = record._replace(
            phase=each.phase,
            result=each.result,
            result_serializer=each.result_serializer,
            traceback=each.traceback,
            reported=each.reported,
            lost=each.lost,
        )
        if each.retry is None:
            self._put(record._replace(finished=each.at, keep_until=each.keep_until))
        else:
            self._put(record._replace(message=each.retry, started=None))
            if each.graph is not None:
                parts = [new(message, self.clock()) for message in each.graph.messages]
                self._dependents().insert(each.graph, parts)
            if each.place is not None:
                self._dependents().replace(each.retry.id, each.place)
        return True

    def _remember(self, record: Record, ended: float, outcome: str, error: str | None) -> None:
        """Note how an attempt ended that was not the last one."""
        attempts = self._attempts.get(record.message.id, [])
        when = record.started, ended, record.worker
        self._attempts[record.message.id] = [
            *attempts,
            Attempt(len(attempts) + 1, *when, outcome, error),
        ]

    def _ended_now(self, record: Record, keep: float | None) -> Record:
        now = self.clock()
        return record._replace(finished=now, keep_until=None if keep is None else now + keep)

    def _present(self) -> list[WorkerInfo]:
        return [worker for worker in self._workers.values() if worker.stopped is None]

    def _stop(self, worker: int) -> None:
        self._workers[worker] = self._workers[worker]._replace(stopped=self.clock())

    def _notify_workers(self) -> None:
        _notify(self._work_listeners)

    def _listen(self, listeners: WeakSet[MemoryListener]) -> MemoryListener:
        listener = MemoryListener()
        with self._lock:
            listeners.add(listener)
        return listener


def _notify(listeners: Iterable[MemoryListener]) -> None:
    for listener in listeners:
        listener.set()
