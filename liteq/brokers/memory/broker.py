"""The broker: every verb of the port, in its order, as the plainest code that is right.

It reads all tasks where it needs some of them, and takes a snapshot of its tables where others
keep a log. What it returns is what the contract means; other brokers are compared with it.
Transactions, and what several verbs do in them, are in store.py.
"""

import os
import socket
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from ...model.entry import Entry, Fired, Firing
from ...model.graph import ALONE, Graph, Members
from ...model.message import Attempt, Delivery, Message, Receipt, Record
from ...model.outcome import Settlement
from ...model.output import OutputLine
from ...model.search import EVERYTHING, Search
from ...model.step import Event, Step
from ...states import Phase
from ..base import Claim, DecideRescue, QueueCount, Settled, ToTerminate, WorkerInfo
from ..output import lines_of
from .listeners import MemoryListener, notify
from .orders import MemoryOrders, drop_old_orders
from .records import eta_of, finished, kept_until, new_record, revived
from .statistics import MemoryStatistics
from .steps import drop_old_events, take_event
from .tables import Revocation
from .workflows import dependent_ids, is_needed, members_of

_FINAL = tuple(phase for phase in Phase if phase.final)


class MemoryBroker(MemoryOrders, MemoryStatistics):
    """A store in this process, shared by its threads."""

    url = "memory://"
    local = True
    trusted = True
    default_serializer = "pickle"  # the bytes never leave the process

    # sending

    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> None:
        with self._transaction():
            for message in messages:
                self._send(message)

    def enqueue_or_replace(self, message: Message, sent: float, *, durable: bool = False) -> bool:
        with self._transaction() as tables:
            known = tables.tasks.get(message.id)
            if known is not None:
                if known.created == sent:
                    return True
                if not known.phase.final or is_needed(tables, known):
                    return False
                tables.delete([known])
            self._put(new_record(message, sent))
            return True

    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> None:
        with self._transaction() as tables:
            if graph.messages[0].id not in tables.tasks:
                self._insert(graph)

    # working

    def claim(self, claim: Claim) -> list[Delivery]:
        with self._transaction() as tables:
            ready = [r for r in tables.in_phases(Phase.READY) if r.message.queue in claim.queues]
            ready.sort(key=lambda r: -r.message.priority)  # stable: of equals, first sent first
            return [self._deliver(each, claim.worker) for each in ready[: max(claim.limit, 0)]]

    def settle(self, settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        with self._transaction():
            refused = [each.receipt for each in settlements if not self._settle(each)]
            self._propagate_ends()  # before the claim, which may claim what was woken
            return Settled(refused, self.claim(claim) if claim else [])

    def release(self, receipts: Sequence[Receipt]) -> None:
        with self._transaction() as tables:
            for record in filter(None, map(tables.claimed, receipts)):
                self._take_back(record)

    def promote(self) -> float | None:
        with self._transaction() as tables:
            for record in tables.in_phases(Phase.SCHEDULED):
                if eta_of(record) <= self.clock():
                    self._put(record._replace(phase=Phase.READY, event=None))
            return min(map(eta_of, tables.in_phases(Phase.SCHEDULED)), default=None)

    def rescue(self, decide: DecideRescue) -> list[Record]:
        with self._transaction() as tables:
            rescued = []
            for worker in [each for each in tables.active_workers() if each.id in self._dead]:
                held = [self._delivery(record) for record in tables.claimed_by(worker.id)]
                released, settlements = decide(worker.info, held, self._dead[worker.id])
                for record in filter(None, map(tables.claimed, released)):
                    self._take_back(record)
                for settlement in settlements:
                    self._settle(settlement)
                self._stop(worker.id)
                rescued += [delivery.id for delivery in held]
            self._propagate_ends()
            return [tables.tasks[id] for id in rescued]

    def to_terminate(self, worker: int) -> list[ToTerminate]:
        with self._lock:
            revoked = self._tables.revoked
            ids = {id for id, revocation in revoked.items() if revocation.terminate}
            return [
                ToTerminate(Receipt(record.message.id, record.token), record.message.id)
                for record in self._tables.claimed_by(worker)
                if record.message.id in ids
            ]

    # events

    def emit(self, event: Event) -> bool:
        with self._transaction() as tables:
            memoryview(event.value)  # raises for what is not bytes
            known = tables.live_event(event.key, self.clock())
            if known is not None:
                return known.id == event.id
            tables.events[event.key] = event
            for record in tables.in_phases(Phase.WAITING, Phase.SCHEDULED):
                if record.event == event.key:
                    take_event(tables, record.message.id, event, self.clock())
                    self._put(record._replace(phase=Phase.READY, event=None))
            return True

    def event(self, key: str) -> Event | None:
        with self._lock:
            return self._tables.live_event(key, self.clock())

    # results

    def fetch(self, ids: Sequence[str]) -> list[Record | None]:
        with self._lock:
            return [self._tables.tasks.get(id) for id in ids]

    def report(self, id: str, state: str, meta: bytes, serializer: str) -> bool:
        with self._transaction() as tables:
            record = tables.tasks.get(id)
            if record is None or record.phase.final:
                return False
            self._put(record._replace(reported=state, result=meta, result_serializer=serializer))
            notify(each for each in self._result_listeners if each.expects(id))
            return True

    def forget(self, ids: Sequence[str]) -> int:
        with self._transaction() as tables:
            ended = [record for record in tables.in_phases(*_FINAL) if record.message.id in ids]
            return tables.delete([record for record in ended if not is_needed(tables, record)])

    def attempts(self, id: str) -> list[Attempt]:
        with self._lock:
            return self._tables.all_attempts(id)

    def steps(self, id: str) -> list[Step]:
        with self._lock:
            return sorted(
                self._tables.steps.get(id, {}).values(), key=lambda step: (step.at, step.name)
            )

    def output(self, id: str, after: tuple[int, int] = (0, 0)) -> list[OutputLine]:
        with self._lock:
            outputs = self._tables.output.get(id, ())
        return lines_of(id, outputs, after)

    def dependents(self, id: str, *, group: bool = False) -> list[str]:
        with self._lock:
            return dependent_ids(self._tables, id, barrier=group)

    def members(self, group: str) -> Members:
        with self._lock:
            return members_of(self._tables, group)

    def cancel(
        self, ids: Sequence[str], keep: float | None, *, terminate: bool = False
    ) -> list[str]:
        with self._transaction() as tables:
            known = [id for id in dict.fromkeys(ids) if id in tables.tasks]
            found = [id for id in known if not tables.tasks[id].phase.final]
            for id in found:
                tables.revoked[id] = Revocation(keep, terminate)
                self._put(tables.tasks[id])
            if found and terminate:
                notify(self._work_listeners)
            return found

    def revive(self, ids: Sequence[str]) -> list[str]:
        with self._transaction() as tables:
            known = [id for id in dict.fromkeys(ids) if id in tables.tasks]
            failed = [id for id in known if tables.tasks[id].phase > Phase.SUCCEEDED]
            for id in failed:
                tables.attempts[id] = tables.all_attempts(id)
                tables.revoked.pop(id, None)
                self._put(revived(tables.tasks[id]))
                self._dependents().unskip(id)
            return failed

    def sweep(self, limit: int) -> int:
        with self._transaction() as tables:
            over = [r for r in tables.in_phases(*_FINAL) if kept_until(r) <= self.clock()]
            free = [record for record in over if not is_needed(tables, record)]
            drop_old_events(tables, limit, self.clock())
            drop_old_orders(tables, self.clock())
            return tables.delete(sorted(free, key=kept_until)[:limit])

    # schedules

    def schedule(self, entries: Sequence[Entry]) -> list[str]:
        with self._transaction():
            schedules = self._schedules()
            refused = [each.name for each in entries if not schedules.write(each)]
            notify(self._work_listeners)
            return refused

    def unschedule(self, names: Sequence[str]) -> list[str]:
        with self._transaction() as tables:
            known = [name for name in dict.fromkeys(names) if name in tables.entries]
            for name in known:
                del tables.entries[name]
            return known

    def schedules(self, due_by: float | None = None) -> list[Entry]:
        with self._lock:
            entries = sorted(self._tables.entries.values(), key=lambda entry: entry.name)
        if due_by is None:
            return entries
        return [each for each in entries if each.due is not None and each.due <= due_by]

    def entry(self, name: str) -> Entry | None:
        with self._lock:
            return self._tables.entries.get(name)

    def next_fire(self) -> float | None:
        with self._lock:
            dues = [entry.due for entry in self._tables.entries.values() if entry.due is not None]
        return min(dues, default=None)

    def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        with self._transaction():
            schedules = self._schedules()
            fired = [schedules.fire(each, self._send) for each in firings]
            notify(self._work_listeners)
            return fired

    # workers

    def register(self, name: str, info: str) -> int:
        with self._transaction() as tables:
            id, pid, now = len(tables.workers) + 1, os.getpid(), self.clock()
            host = socket.gethostname()
            tables.workers[id] = WorkerInfo(id, name, pid, host, now, now, None, info)
            return id

    def beat(self, worker: int, info: str) -> None:
        with self._transaction() as tables:
            known = tables.workers[worker]
            tables.workers[worker] = known._replace(beat=self.clock(), info=info)

    def unregister(self, worker: int) -> None:
        with self._transaction() as tables:
            for record in tables.claimed_by(worker):
                self._take_back(record)
            self._stop(worker)

    def mark_dead(self, worker: int, *, with_machine: bool = False) -> None:
        """Treat a worker as if its process had been killed, or its machine. For tests."""
        with self._lock:
            self._dead[worker] = with_machine

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
        """Do nothing."""

    def close(self) -> None:
        """Close the listeners. The tasks stay."""
        with self._lock:
            for listener in (*self._work_listeners, *self._result_listeners):
                listener.close()

    # what tools ask

    def revision(self) -> object:
        return self._revision

    def counts(self) -> list[QueueCount]:
        with self._lock:
            found = Counter((r.message.queue, r.phase) for r in self._tables.tasks.values())
        return [QueueCount(*key, found[key]) for key in sorted(found)]

    def listing(
        self, phases: Sequence[Phase], limit: int, search: Search = EVERYTHING
    ) -> list[Record]:
        with self._lock:
            found = list(self._tables.tasks.values())
        if search.newest:
            found.reverse()
        wanted = (each for each in found if each.phase in phases and search.fits(each))
        return list(islice(wanted, limit))

    def workers(self) -> list[WorkerInfo]:
        with self._lock:
            active = self._tables.active_workers()
            return [worker for worker in active if worker.id not in self._dead]

    def purge(self, queues: Sequence[str] | None) -> int:
        with self._transaction() as tables:
            waiting = tables.in_phases(Phase.SCHEDULED, Phase.READY)
            found = [r for r in waiting if queues is None or r.message.queue in queues]
            tied = [each for each in found if tables.places.get(each.message.id, ALONE).tied]
            for record in tied:
                self._put(finished(record, Phase.CANCELLED, self.clock(), keep=0))
            return len(tied) + tables.delete([each for each in found if each not in tied])
