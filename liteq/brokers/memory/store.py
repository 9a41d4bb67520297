"""Share what the verbs need: transactions, and the steps of which they consist."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from weakref import WeakSet

from ...model.graph import ALONE, Graph
from ...model.message import Delivery, Message, Receipt, Record
from ...model.outcome import Settlement
from ...states import Phase
from ...support.clock import Clock, system_clock
from ..base import Broker
from ..walk import propagate_ends
from .inputs import inputs_of, member_in
from .listeners import MemoryListener, notify
from .output import write_output
from .records import finished, new_record, settled
from .schedules import MemorySchedules
from .steps import woken_already, write_steps
from .tables import Tables
from .workflows import MemoryDependents, ended_of


class MemoryStore(Broker):
    """A store in this process, as the verbs use it."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self.clock = clock
        self._lock = threading.RLock()
        self._tables = Tables()
        self._dead: dict[int, bool] = {}  # workers, see `mark_dead`
        self._tokens = count(1)  # of all tasks, so that no receipt fits a second claim
        self._seqs = count(1)  # of all tasks
        self._versions = count(1)  # of all entries, so that no version ever comes again
        self._local = threading.local()
        self._revision = 0
        self._work_listeners: WeakSet[MemoryListener] = WeakSet()
        self._result_listeners: WeakSet[MemoryListener] = WeakSet()

    @contextmanager
    def _transaction(self) -> Iterator[Tables]:
        """Yield the tables. If the block raises, all that it changed is undone.

        No other thread sees a part of it. Transactions may be nested.
        """
        with self._lock:
            snapshot = self._tables.copy()
            try:
                yield self._tables
                self._propagate_ends()
                self._revision += 1
            except BaseException:
                self._tables = snapshot
                raise

    def _put(self, record: Record) -> None:
        """Store `record`, and notify the listeners that it may concern."""
        tables, id = self._tables, record.message.id
        if id in tables.revoked and record.phase < Phase.RUNNING:
            keep = tables.revoked[id].keep
            record = finished(record, Phase.CANCELLED, self.clock(), keep)
        for value in (record.message.payload, record.result or b""):
            memoryview(value)  # raises for what is not bytes: other stores would refuse it too
        tables.tasks[id] = record if record.seq else record._replace(seq=next(self._seqs))
        if record.phase.final:
            tables.ended.append(id)
            notify(each for each in self._result_listeners if each.expects(id))
        elif record.phase is not Phase.RUNNING:
            notify(self._work_listeners)

    def _propagate_ends(self) -> None:
        """Wake, skip or drop what waited for tasks that have ended in this transaction."""
        tables = self._tables
        while tables.ended:
            records = [tables.tasks[id] for id in tables.ended if id in tables.tasks]
            tables.ended.clear()
            propagate_ends(self._dependents(), [ended_of(record) for record in records])
            tables.ended.clear()  # the walk propagates the ends that it causes itself

    def _dependents(self) -> MemoryDependents:
        return MemoryDependents(self._tables, self.clock(), self._put)

    def _schedules(self) -> MemorySchedules:
        return MemorySchedules(self._tables, self._versions)

    def _send(self, message: Message) -> None:
        """Store a message, unless its id is known."""
        if message.id not in self._tables.tasks:
            self._put(new_record(message, self.clock()))

    def _insert(self, graph: Graph) -> None:
        """Store a workflow."""
        records = [new_record(message, self.clock()) for message in graph.messages]
        self._dependents().insert(graph, records)

    def _deliver(self, record: Record, worker: int) -> Delivery:
        """Give a ready task to a worker."""
        tables = self._tables
        running = record._replace(
            phase=Phase.RUNNING,
            token=next(self._tokens),
            started=self.clock(),
            worker=tables.workers[worker].name,
        )
        tables.holders[record.message.id] = worker
        self._put(running)
        return self._delivery(running)

    def _delivery(self, record: Record) -> Delivery:
        """Return the delivery of a running task."""
        tables, id = self._tables, record.message.id
        return Delivery(
            record.message,
            Receipt(id, record.token),
            record.lost,
            record.reported,
            len(tables.attempts.get(id, ())),
            tables.places.get(id, ALONE).tied,
            record.woken_by,
            member_in(tables, record),
            inputs_of(tables, id),
        )

    def _take_back(self, record: Record) -> None:
        """Make a running task ready again."""
        del self._tables.holders[record.message.id]
        self._put(record._replace(phase=Phase.READY, started=None))

    def _settle(self, settlement: Settlement) -> bool:
        """Write one settlement; return False if its claim was lost."""
        tables = self._tables
        id = str(settlement.receipt.key)
        if settlement.output is not None:
            if not tables.may_write_output(settlement.receipt):
                return False
            write_output(tables, id, settlement.output)
            return True
        record = tables.claimed(settlement.receipt)
        if record is None:
            return False
        write_steps(tables, id, settlement.steps)
        if settlement.phase is Phase.RUNNING:
            return True
        del tables.holders[id]
        if settlement.retry is not None:
            tables.add_attempt(record, settlement.at, settlement.why, settlement.traceback)
        record = settled(record, woken_already(tables, id, settlement, self.clock()))
        self._put(record)
        if settlement.graph is not None:
            self._insert(settlement.graph)
        if settlement.place is not None:
            self._dependents().replace(record.message.id, settlement.place)
        return True

    def _stop(self, worker: int) -> None:
        stopped = self._tables.workers[worker]._replace(stopped=self.clock())
        self._tables.workers[worker] = stopped

    def _listen(self, listeners: WeakSet[MemoryListener]) -> MemoryListener:
        listener = MemoryListener()
        with self._lock:
            listeners.add(listener)
        return listener
