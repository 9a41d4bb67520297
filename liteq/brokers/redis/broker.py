"""The broker: every verb of the port on Redis. Each runs one script; scripts/head.lua has the keys.

What several verbs need is in store.py; the verbs of moving are in transfers.py.
"""

from collections.abc import Collection, Sequence
from functools import partial
from itertools import islice
from math import inf

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
    ReadSettled,
    Settled,
    ToTerminate,
    WorkerInfo,
)
from . import unindexed
from .arguments import (
    PAGE,
    chunks,
    event_args,
    graph_args,
    message_args,
    messages_args,
    revive_args,
)
from .bulks import graph_parts, is_large, message_parts, send_bulk, store_part
from .checkup import find_faults, gather_facts, warn_of_risks
from .indexes import id_pages
from .listeners import work_listener
from .orders import RedisOrders
from .output import read_output
from .purging import purge_waiting
from .replies import attempts_of, counts_of, receipts_of, text_of, texts_of
from .rescue import dead_workers, take_back
from .schedules import entries_of, entry_args, firing_args
from .signing import End
from .statistics import RedisStatistics
from .steps import read_event, read_steps
from .transfers import RedisTransfers

_DUE = 500  # tasks made ready by one script, so that the server is never busy for long
_KEEP_WORKERS = 7 * 86400.0  # seconds that a worker's name can still be shown with its results


class RedisBroker(RedisOrders, RedisTransfers, RedisStatistics):
    """A store on a Redis server."""

    default_serializer = "json"  # others may be able to write to the server
    beat_every: float = 2.0  # seconds; see LEASE in scripts/leases.lua

    # sending

    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> None:
        if not messages:
            return
        signed = map(self._signing.sign_message, messages)
        if is_large(messages):
            send_bulk(self.server, self.clock, message_parts(signed), len(messages))
        else:
            stored = self.server.run_replicated("enqueue", self.clock(), *messages_args(signed))
            if stored == len(messages):  # else the end of one may have been notified before
                self._results.note_sent(messages)

    def enqueue_or_replace(self, message: Message, sent: float, *, durable: bool = False) -> bool:
        args = message_args(self._signing.sign_message(message))
        return bool(self.server.run_replicated("enqueue_or_replace", sent, message.id, *args))

    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> None:
        first, tasks = graph.messages[0].id, len(graph.messages)
        signed = self._signing.sign_graph(graph)
        if is_large(graph.messages):
            send_bulk(self.server, self.clock, graph_parts(signed), tasks, first)
        else:
            args = graph_args(signed)
            self.server.run_replicated("enqueue_graph", self.clock(), first, *args)

    # working

    def claim(self, claim: Claim) -> list[Delivery]:
        if claim.limit <= 0 or not claim.queues:
            return []
        with self._claiming(claim.worker):
            return self._deliveries(claim, self._run("claim", *self._claim_args(claim)))

    def settle(self, settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        args = self._settle_args(settlements)
        if claim is None:
            return self._settled(settlements, None, lambda: self._run("settle", *args))
        with self._claiming(claim.worker):
            args += self._claim_args(claim)
            return self._settled(settlements, claim, lambda: self._run("settle", *args))

    def start_settle(
        self, settlements: Sequence[Settlement], claim: Claim | None = None
    ) -> ReadSettled | None:
        args = self._settle_args(settlements)
        if claim is not None:
            args += self._claim_args(claim)
        reply = self.server.start("settle", self.clock(), *args)
        return None if reply is None else partial(self._settled, settlements, claim, reply)

    def release(self, receipts: Sequence[Receipt]) -> None:
        if receipts:
            self._run("release", *(part for receipt in receipts for part in receipt))

    def promote(self) -> float | None:
        while True:
            next_look, bulk = self._run("promote", _DUE)
            if bulk is not None:
                store_part(self.server, self.clock, bulk)
                return self.clock()  # so that a worker does other things between two parts
            if next_look is None:
                return None
            if float(next_look) > self.clock():
                return float(next_look)

    def rescue(self, decide: DecideRescue) -> list[Record]:
        ids: list[str] = []
        for worker in dead_workers(self.server):
            ids += take_back(self.server, self.clock, worker, decide)
        return [record for record in self.fetch(ids) if record]

    def to_terminate(self, worker: int) -> list[ToTerminate]:
        revoked, taken = map(receipts_of, self._run("to_terminate", worker))
        return [
            *(ToTerminate(receipt, str(receipt.key)) for receipt in revoked),
            *(ToTerminate(receipt, str(receipt.key), taken=True) for receipt in taken),
        ]

    # events

    def emit(self, event: Event) -> bool:
        args = event_args(self._signing.sign_event(event))
        return bool(self.server.run_replicated("emit", self.clock(), *args))

    def event(self, key: str) -> Event | None:
        return read_event(self.server, self.location.prefix, key, self._signing, self.clock())

    # results

    def fetch(self, ids: Sequence[str]) -> list[Record | None]:
        return [found and self._signing.record_or_error(*found) for found in self._stored(ids)]

    def report(self, id: str, state: str, meta: bytes, serializer: str) -> bool:
        data = self._signing.sign_result(meta, End(id, Phase.RUNNING, state, serializer))
        return bool(self._run("report", id, state, data, serializer))

    def forget(self, ids: Sequence[str]) -> int:
        return sum(int(self._run("forget", *part)) for part in chunks(ids))

    def attempts(self, id: str) -> list[Attempt]:
        earlier = attempts_of(self._run("attempts", id))
        (record,) = self.fetch([id])
        return [*earlier, *last_attempt(record, len(earlier))]

    def steps(self, id: str) -> list[Step]:
        return read_steps(self.server, self.location.prefix, id, self._signing)

    def output(self, id: str, after: tuple[int, int] = (0, 0)) -> list[OutputLine]:
        return read_output(self.server, self.location.prefix, id, self._signing, after)

    def dependents(self, id: str, *, group: bool = False) -> list[str]:
        return self._sorted_ids("barrier" if group else "waiters", id)

    def members(self, group: str) -> Members:
        outer = self.server.execute("HGET", f"{self.location.prefix}:group:{group}", "outer")
        tasks, inner = self._sorted_ids("members", group), self._sorted_ids("inner", group)
        return Members(tasks, inner, text_of(outer) if outer else None)

    def cancel(
        self, ids: Sequence[str], keep: float | None, *, terminate: bool = False
    ) -> list[str]:
        how = ("" if keep is None else keep, int(terminate))
        once = list(dict.fromkeys(ids))
        return [id for part in chunks(once) for id in texts_of(self._run("cancel", *how, *part))]

    def revive(self, ids: Sequence[str]) -> list[str]:
        revived: list[str] = []
        for part in chunks(list(dict.fromkeys(ids))):
            stored = [each.record.message for each in self._stored(part) if each is not None]
            revived += texts_of(self._run("revive", *revive_args(stored)))
        return revived

    def sweep(self, limit: int) -> int:
        return int(self._run("sweep", limit))

    # schedules

    def schedule(self, entries: Sequence[Entry]) -> list[str]:
        args = [arg for entry in entries for arg in entry_args(entry, self._signing)]
        return texts_of(self._run("schedule", *args)) if args else []

    def unschedule(self, names: Sequence[str]) -> list[str]:
        return texts_of(self._run("unschedule", *names)) if names else []

    def schedules(self, due_by: float | None = None) -> list[Entry]:
        replies = self._run("schedules", inf if due_by is None else due_by)
        return entries_of(replies, self._signing).readable(self.url)

    def entry(self, name: str) -> Entry | None:
        found = entries_of(self._run("entry", name), self._signing)
        return next(iter(found.readable(self.url)), None)

    def next_fire(self) -> float | None:
        due = self._run("next_fire")
        return None if due is None or float(due) == inf else float(due)

    def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        args = [arg for firing in firings for arg in firing_args(firing, self._signing)]
        return list(map(Fired, texts_of(self._run("fire", *args)))) if args else []

    # workers

    def register(self, name: str, info: str) -> int:
        worker = self._registry.register(self.clock(), name, info)
        warn_of_risks(self.server)
        return worker

    def beat(self, worker: int, info: str) -> None:
        self._registry.beat(self.clock(), worker, info)

    def unregister(self, worker: int) -> None:
        self._run("unregister", worker)
        self._last_tokens.pop(worker, None)
        self._claiming_locks.pop(worker, None)

    # waiting

    def work_listener(self, worker: int) -> Listener:
        listener = work_listener(self.server)
        self._work_listeners.add(listener)
        return listener

    def result_listener(self) -> Listener:
        return self._results.of_this_thread()

    def is_notified_of(self, ids: Collection[str]) -> bool:
        return self._results.is_notified_of(ids)

    # upkeep

    def upkeep(self, *, idle: bool = False) -> None:
        if idle:
            self._run("upkeep", self.clock() - _KEEP_WORKERS)

    def close(self) -> None:
        for listener in tuple(self._work_listeners):
            listener.close()
        self._results.close()
        self.server.close()

    # what tools ask

    def revision(self) -> object:
        prefix, execute = self.location.prefix, self.server.execute
        numbers = execute("MGET", *(f"{prefix}:{name}" for name in ("seq", "token", "beat")))
        return [*numbers, sorted(self.counts())]

    def counts(self) -> list[QueueCount]:
        return counts_of(self.server.execute("HGETALL", f"{self.location.prefix}:counts"))

    def listing(
        self, phases: Sequence[Phase], limit: int, search: Search = EVERYTHING
    ) -> list[Record]:
        size = max(min(limit, PAGE) if search.fits_all else PAGE, 1)
        found = (
            record
            for ids in id_pages(self.server, phases, self._queues(), size, search)
            for record in self.fetch(ids)
            if record and record.phase in phases and search.fits(record)
        )
        return list(islice(found, limit))

    def workers(self) -> list[WorkerInfo]:
        return self._registry.live_workers()

    def purge(self, queues: Sequence[str] | None) -> int:
        return purge_waiting(self._run, self.counts(), queues)

    # what only some stores offer

    def examine(self, *, thorough: bool = False) -> Examination:
        counts = self.counts()
        facts = gather_facts(self.server, counts)
        faults = find_faults(facts)
        if thorough or unindexed.differ(self.server, counts):
            faults = [*unindexed.findings(self._unindexed()), *faults]
        return Examination(facts._asdict(), faults)

    def mend(self) -> list[str]:
        mended = self._unindexed(mend=True).mended
        return [f"put back, or set aside, {mended} tasks that were in no index"] if mended else []

    # private

    def _unindexed(self, *, mend: bool = False) -> unindexed.Unindexed:
        return unindexed.look_for(self.server, self.clock(), mend=mend)
