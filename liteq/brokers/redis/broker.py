"""The verbs of the port on Redis. Each verb runs one script; `scripts/head.lua` names the keys."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import islice
from math import inf
from typing import Any
from weakref import WeakSet

from ...exceptions import BrokerError
from ...model.entry import Entry, Fired, Firing
from ...model.graph import Graph, Members
from ...model.message import Attempt, Delivery, Message, Receipt, Record, last_attempt
from ...model.outcome import Settlement
from ...model.search import EVERYTHING, Search
from ...model.step import Event, Step
from ...serializers.signed import Signer
from ...states import Phase
from ...support.clock import Clock, system_clock
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
from ..stored import StoredSchedules
from ..transfer import Arrival, Movable, TransferBatch
from . import unindexed
from .arguments import (
    PAGE,
    Arguments,
    chunks,
    claim_args,
    event_args,
    graph_args,
    message_args,
    messages_args,
    revive_args,
    settlement_args,
)
from .bulks import (
    finish_bulks,
    graph_parts,
    is_large,
    message_parts,
    send_bulk,
    store_part,
    transfer_parts,
)
from .checkup import find_faults, gather_facts, warn_of_risks
from .clock import ServerClock
from .deliveries import log_unusable, sort_out
from .indexes import id_pages, ids_in
from .inputs import read_group
from .listeners import ChannelListener, ResultListeners, work_listener
from .location import RedisLocation
from .moving import arrivals_args, arrivals_of, batch_args
from .packer import Packer
from .purging import purge_waiting
from .registry import WorkerRegistry
from .replies import (
    Stored,
    attempts_of,
    counts_of,
    receipts_of,
    stored_or_error,
    text_of,
    texts_of,
)
from .rescue import dead_workers, take_back
from .schedules import entries_of, entry_args, firing_args
from .server import Server
from .signing import UNSIGNED, End, Signed, Signing
from .steps import read_event, read_events, read_steps
from .wrongkeys import OverwrittenQueues

_DUE = 500  # tasks made ready by one script, so that the server is never busy for long
_KEEP_WORKERS = 7 * 86400.0  # seconds that a worker's name can still be shown with its results


class RedisBroker(Movable):
    """A store on a Redis server."""

    default_serializer = "json"  # others may be able to write to the server
    beat_every: float = 2.0  # seconds; see LEASE in scripts/leases.lua

    def __init__(self, location: RedisLocation, clock: Clock) -> None:
        self.location = location
        self.url: str = location.url
        self.server: Server = Server(location)
        # Users' times are the server's, unless a test hands in a clock of its own.
        self.clock: Clock = ServerClock(self.server) if clock is system_clock else clock
        self._signing: Signing = UNSIGNED
        self._registry = WorkerRegistry(self.server)
        self._work_listeners: WeakSet[ChannelListener] = WeakSet()
        self._results = ResultListeners(self.server, f"{location.prefix}:news:results")
        self._claiming_locks: dict[int, threading.Lock] = {}  # by worker
        self._last_tokens: dict[int, int] = {}  # by worker: the last token that has reached us
        self._unconfirmed: set[Receipt] = set()  # settled, but no reply came
        self._overwritten = OverwrittenQueues(self.url)

    @property
    def address(self) -> str:
        return self.location.address

    def sign(self, key: str | bytes) -> None:
        self._signing = Signed(Signer(key), self.location.identity)
        self.trusted = True

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

    def _unindexed(self, *, mend: bool = False) -> unindexed.Unindexed:
        return unindexed.look_for(self.server, self.clock(), mend=mend)

    # moving

    def pack(self, size: int) -> Iterator[TransferBatch]:
        return Packer(self.server, self.clock, self._signing, self._queues()).batches(size)

    def pack_schedules(self) -> StoredSchedules:
        return entries_of(self._run("schedules", inf), self._signing)

    def pack_events(self) -> list[Event]:
        return read_events(self.server, self.location.prefix, self._signing, self.clock())

    def unpack(self, batch: TransferBatch) -> None:
        if is_large([each.record.message for each in batch.transfers]):
            parts = transfer_parts(batch, self._signing)
            send_bulk(self.server, self.clock, parts, len(batch.transfers))
        else:
            self._run("unpack", *batch_args(batch, self._signing))

    def arrived(self) -> list[Arrival]:
        # What was sent in parts has arrived, whether or not all of it is stored by now.
        finish_bulks(self.server, self.clock)
        return arrivals_of(self.server.execute("HKEYS", f"{self.location.prefix}:arrived"))

    def confirm(self, arrivals: Sequence[Arrival]) -> None:
        for part in chunks(arrivals):
            self._run("confirm", *arrivals_args(part))

    def discard(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        # Groups last: one is deleted once none of its members is left.
        parts = chunks(sorted(arrivals, key=lambda each: each.created is None))
        return [part[n] for part in parts for n in self._run("discard", *arrivals_args(part))]

    # inside

    def _run(self, verb: str, *args: Any) -> Any:
        """Run the script of `verb` and return its reply. Raises BrokerError."""
        return self.server.run(verb, self.clock(), *args)

    def _claiming(self, worker: int) -> threading.Lock:
        """Return the lock that is held while a worker claims: the next claim tells the server what
        the last one has brought."""
        return self._claiming_locks.setdefault(worker, threading.Lock())

    def _claim_args(self, claim: Claim) -> Arguments:
        return claim_args(claim, self._last_tokens.get(claim.worker, 0))

    def _deliveries(self, claim: Claim, replies: list[Any]) -> list[Delivery]:
        """Return what was claimed. What cannot be read, or is not genuine, is set aside."""
        claimed, others = self._take(claim, replies)
        while others and len(claimed) < claim.limit:
            # Behind what was set aside others may be ready.
            more = claim._replace(limit=claim.limit - len(claimed))
            try:
                found, others = self._take(more, self._run("claim", *self._claim_args(more)))
            except BrokerError:
                if not claimed:
                    raise
                break  # what it has claimed is handed out again, by the next claim
            claimed += found
        return claimed

    def _take(self, claim: Claim, replies: list[Any]) -> tuple[list[Delivery], bool]:
        """Return the deliveries that can be run, and whether others were set aside."""
        if not replies:
            return [], False
        read = partial(read_group, self.server, self.clock)
        good, bad = sort_out(replies, self._signing, self.clock, read)
        if bad:
            self.settle(bad)
        # Only now: until it is noted that they have reached us, they are handed out again.
        self._last_tokens[claim.worker] = max(int(token) for _, token, *_ in replies)
        return good, bool(bad)

    def _settle_args(self, settlements: Sequence[Settlement]) -> Arguments:
        args: Arguments = [len(settlements)]
        for settlement in settlements:
            again = settlement.receipt in self._unconfirmed
            args += settlement_args(self._signing.sign_settlement(settlement), again=again)
        return args

    def _settled(
        self, settlements: Sequence[Settlement], claim: Claim | None, reply: Callable[[], Any]
    ) -> Settled:
        """Return what the script replied to settlements and a claim."""
        receipts = {settlement.receipt for settlement in settlements}
        try:
            refused, replies, unusable, overwritten = reply()
            claimed = []
            if claim is not None:
                self._overwritten.note(overwritten, self.server.find_wrong_keys)
                claimed = self._deliveries(claim, replies)
        except BaseException:
            # Perhaps it was written, and only the reply, or what was claimed, could not be read.
            self._unconfirmed |= receipts
            raise
        self._unconfirmed -= receipts
        log_unusable(settlements[n].receipt for n in unusable)
        return Settled([settlements[n].receipt for n in refused], claimed)

    def _stored(self, ids: Sequence[str]) -> list[Stored | None]:
        """Return tasks as they are stored: not verified."""
        found: list[Stored | None] = []
        for part in chunks(ids):
            found += map(stored_or_error, part, self._run("fetch", *part))
        return found

    def _sorted_ids(self, key: str, id: str) -> list[str]:
        return ids_in(self.server, f"{self.location.prefix}:{key}:{id}")

    def _queues(self) -> list[str]:
        return [count.queue for count in self.counts()]
