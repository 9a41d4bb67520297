"""The verbs of the port on Redis. The Lua stands in one file a verb; `head.lua` names the keys."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ...exceptions import SecurityError
from ...model.graph import Graph, Members
from ...model.message import Attempt, Delivery, Message, Receipt, Record, last_attempt
from ...model.outcome import Settlement
from ...serializers.signed import Signer
from ...states import Phase
from ...support.clock import Clock, system_clock
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
from ..listeners import LocalListener
from .checkup import gather, judge, warn_of_risks
from .listeners import Subscription
from .listing import Listing
from .location import Location
from .moving import Moving
from .registry import WorkerRegistry
from .rescue import DeadWorker, dead_workers
from .rows import (
    Arguments,
    attempts_of,
    delivery_of,
    graph_args,
    messages_args,
    packed,
    record_of,
    settlement_args,
)
from .schedules import Scheduling
from .seals import NoSeal, Seal, Signature, set_aside
from .server import Server
from .serverclock import ServerClock

_FETCH = 500  # records in one reply
_DUE = 500  # tasks made ready in one step, so that nobody waits long behind it
_PURGE = 1000
_KEEP_WORKERS = 7 * 86400.0  # seconds that a worker's name stays readable in results


class RedisBroker(Scheduling, Moving):
    """A store on a Redis server."""

    default_serializer = "json"  # others can reach the server

    def __init__(self, location: Location, clock: Clock) -> None:
        self.location = location
        self.url = location.url
        self.server = Server(location)
        # Users' times are the server's, unless a test hands in a clock of its own.
        self.clock = ServerClock(self.server) if clock is system_clock else clock
        self._seal: Seal = NoSeal()
        self._registry = WorkerRegistry(self.server)
        self._work = Subscription(self.server, f"{location.prefix}:news:work")
        self._results = Subscription(self.server, f"{location.prefix}:news:results")
        self._local = threading.local()
        self._claiming = threading.Lock()
        self._seen: dict[int, int] = {}  # by worker: the last token that reached us
        self._unsure: set[Receipt] = set()  # settled, but the answer never came

    @property
    def address(self) -> str:
        return self.location.address

    def sign(self, key: str | bytes) -> None:
        self._seal = Signature(Signer(key))
        self.trusted = True

    # sending

    def enqueue(self, messages: Sequence[Message], *, durable: bool = False) -> None:
        if messages:
            sealed = map(self._seal.message, messages)
            self.server.enqueue("enqueue", self.clock(), *messages_args(sealed))

    def enqueue_graph(self, graph: Graph, *, durable: bool = False) -> None:
        first = graph.messages[0].id
        self.server.enqueue(
            "enqueue_graph", self.clock(), first, *graph_args(self._seal.graph(graph))
        )

    # working

    def claim(self, claim: Claim) -> list[Delivery]:
        if claim.limit <= 0 or not claim.queues:
            return []
        with self._claiming:
            rows = self._run("claim", *self._wish(claim))
            return self._received(claim, rows)

    def settle(self, settlements: Sequence[Settlement], claim: Claim | None = None) -> Settled:
        args: Arguments = [len(settlements)]
        for each in settlements:
            again = each.receipt in self._unsure
            args += settlement_args(self._seal.settlement(each), again=again)
        if claim is None:
            return self._settle(settlements, args, None)
        with self._claiming:
            return self._settle(settlements, args + self._wish(claim), claim)

    def release(self, receipts: Sequence[Receipt]) -> None:
        if receipts:
            self._run("release", *(part for receipt in receipts for part in receipt))

    def promote(self) -> float | None:
        while True:
            upcoming = self._run("promote", _DUE)
            if upcoming is None:
                return None
            if float(upcoming) > self.clock():
                return float(upcoming)

    def rescue(self, decide: DecideRescue) -> list[Record]:
        ids: list[str] = []
        for worker in dead_workers(self.server, self.clock()):
            ids += self._take_back(worker, decide)
        return [record for record in self.fetch(ids) if record]

    def _take_back(self, worker: DeadWorker, decide: DecideRescue) -> list[str]:
        """Write what `decide` says of the claims of `worker`; return the ids of those tasks."""
        held, spoilt = self._verified(self._run("held", worker.number))
        released, settlements = decide(worker.info, held)
        settlements = [*settlements, *spoilt]
        args: Arguments = [worker.number, int(worker.proven), len(released)]
        for receipt in released:
            args += receipt
        args.append(len(settlements))
        for each in settlements:
            args += settlement_args(self._seal.settlement(each), again=False)
        if not self._run("rescue", *args):
            return []  # it has come back, or another rescuer was faster
        ids = [delivery.message.id for delivery in held]
        return ids + [str(each.receipt.key) for each in spoilt]

    def to_terminate(self, worker: int) -> list[ToTerminate]:
        flat = [part.decode() for part in self._run("to_terminate", worker)]
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return [ToTerminate(Receipt(id, int(token)), id) for id, token in pairs]

    # results

    def fetch(self, ids: Sequence[str]) -> list[Record | None]:
        return [record and self._seal.record(record) for record in self._stored(ids)]

    def report(self, id: str, state: str, meta: bytes, serializer: str) -> bool:
        data = self._seal.result(id, meta, serializer)
        return bool(self._run("report", id, state, data, serializer))

    def forget(self, ids: Sequence[str]) -> int:
        return int(self._run("forget", *ids)) if ids else 0

    def attempts(self, id: str) -> list[Attempt]:
        earlier = attempts_of(self._run("attempts", id))
        return [*earlier, *last_attempt(self.fetch([id])[0], len(earlier))]

    def followers(self, id: str, *, group: bool = False) -> list[str]:
        return self._in_order("barrier" if group else "waiters", id)

    def members(self, group: str) -> Members:
        outer = self.server.ask("HGET", f"{self.location.prefix}:group:{group}", "outer")
        tasks = self._in_order("members", group)
        return Members(tasks, self._in_order("inner", group), outer.decode() if outer else None)

    def _in_order(self, what: str, id: str) -> list[str]:
        found = self.server.ask("ZRANGE", f"{self.location.prefix}:{what}:{id}", 0, -1)
        return [name.decode() for name in found]

    def cancel(
        self, ids: Sequence[str], keep: float | None, *, terminate: bool = False
    ) -> list[str]:
        if not ids:
            return []
        once = dict.fromkeys(ids)
        kept = "" if keep is None else keep
        return [id.decode() for id in self._run("cancel", kept, int(terminate), *once)]

    def revive(self, ids: Sequence[str]) -> list[str]:
        args: Arguments = []
        for record in self._stored(list(dict.fromkeys(ids))):
            if record is not None:
                fresh = record.message._replace(retries=0, eta=None, expires=None)
                args += (fresh.id, packed(fresh))
        return [id.decode() for id in self._run("revive", *args)] if args else []

    def sweep(self, limit: int) -> int:
        return int(self._run("sweep", limit))

    # workers

    def register(self, name: str, info: str) -> int:
        worker = self._registry.register(self.clock(), name, info)
        warn_of_risks(self.server)
        return worker

    def beat(self, worker: int, info: str) -> None:
        self._registry.beat(self.clock(), worker, info)

    def unregister(self, worker: int) -> None:
        self._run("unregister", worker)
        self._seen.pop(worker, None)

    # waiting

    def work_listener(self, worker: int) -> Listener:
        return self._work.listener()

    def result_listener(self) -> Listener:
        listener: LocalListener | None = getattr(self._local, "listener", None)
        if listener is None or listener.fileno() < 0:
            listener = self._local.listener = self._results.listener()
        return listener

    # upkeep

    def upkeep(self, *, idle: bool = False) -> None:
        if idle:
            self._run("upkeep", self.clock() - _KEEP_WORKERS)

    def close(self) -> None:
        self._work.close()
        self._results.close()
        self.server.close()

    # what tools ask

    def counts(self) -> list[QueueCount]:
        flat = self.server.ask("HGETALL", f"{self.location.prefix}:counts")
        found = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        counted = []
        for field, n in found:
            phase, _, queue = field.decode().partition(":")
            counted.append(QueueCount(queue, Phase(int(phase)), int(n)))
        return sorted(counted)

    def listing(
        self,
        phases: Sequence[Phase],
        limit: int,
        *,
        task: str | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> list[Record]:
        queues = [count.queue for count in self.counts()]
        listing = Listing(self.server, phases, queues, task, headers)
        return list(islice(self._chosen(listing), limit))

    def workers(self) -> list[WorkerInfo]:
        return self._registry.present(self.clock())

    def purge(self, queues: Sequence[str] | None) -> int:
        waiting = [
            count
            for count in self.counts()
            if count.phase in (Phase.SCHEDULED, Phase.READY)
            and (queues is None or count.queue in queues)
        ]
        names = dict.fromkeys(count.queue for count in waiting)
        # No more than there are now: what becomes ready by this, or is sent meanwhile, stays.
        ready = sum(count.tasks for count in waiting if count.phase is Phase.READY)
        scheduled = sum(count.tasks for count in waiting) - ready
        dropped = offset = 0
        while ready > 0 or scheduled > 0:
            left = (ready, scheduled)
            *parts, passed = self._run("purge", _PURGE, *left, offset, *names)
            if not any(parts) and passed == offset:
                break  # they were claimed meanwhile
            ready, scheduled = ready - parts[0], scheduled - parts[1]
            dropped, offset = dropped + sum(parts), passed
        return dropped

    def examine(self, *, thorough: bool = False) -> Examination:
        facts = gather(self.server, self.counts())
        return Examination(facts._asdict(), judge(facts))

    # inside

    def _run(self, verb: str, *args: Any) -> Any:
        return self.server.run(verb, self.clock(), *args)

    def _stored(self, ids: Sequence[str]) -> list[Record | None]:
        found: list[Record | None] = []
        for start in range(0, len(ids), _FETCH):
            part = ids[start : start + _FETCH]
            found += map(record_of, part, self._run("fetch", *part))
        return found

    def _wish(self, claim: Claim) -> Arguments:
        limit = max(claim.limit, 0) if claim.queues else 0
        return [claim.worker, self._seen.get(claim.worker, 0), limit, *claim.queues]

    def _received(self, claim: Claim, rows: list[Any]) -> list[Delivery]:
        """What was claimed, but for what is not to be trusted: that is set aside."""
        if not rows:
            return []
        deliveries, spoilt = self._verified(rows)
        self._seen[claim.worker] = max(int(row[1]) for row in rows)
        if spoilt:
            self.settle(spoilt)
        return deliveries

    def _verified(self, rows: list[Any]) -> tuple[list[Delivery], list[Settlement]]:
        """The deliveries that can be trusted, and for each of the others how it is set aside."""
        deliveries, spoilt = [], []
        for delivery in map(delivery_of, rows):
            try:
                deliveries.append(self._seal.opened(delivery))
            except SecurityError as exc:
                spoilt.append(set_aside(delivery, exc, self.clock()))
        return deliveries, spoilt

    def _settle(
        self, settlements: Sequence[Settlement], args: Arguments, claim: Claim | None
    ) -> Settled:
        receipts = {each.receipt for each in settlements}
        try:
            refused, rows = self._run("settle", *args)
        except BaseException:
            self._unsure |= receipts  # perhaps it was written, and only the answer was lost
            raise
        self._unsure -= receipts
        claimed = self._received(claim, rows) if claim is not None else []
        return Settled([settlements[n].receipt for n in refused], claimed)

    def _chosen(self, listing: Listing) -> Iterator[Record]:
        for ids in listing.pages(_FETCH):
            yield from filter(listing.wants, self._known(ids))

    def _known(self, ids: Sequence[str]) -> Iterable[Record]:
        return (record for record in self.fetch(ids) if record)
