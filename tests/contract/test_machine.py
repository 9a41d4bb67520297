"""Verbs in any order: the SQLite and the Redis broker do what the memory broker does."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from liteq.brokers import connect
from liteq.brokers.base import Claim, Settled
from liteq.brokers.memory import MemoryBroker
from liteq.brokers.owners import this_process
from liteq.model.entry import Entry, Firing
from liteq.model.graph import Graph, Group, Place
from liteq.model.message import Attempt, Delivery, Message, Receipt, Record
from liteq.model.outcome import Settlement
from liteq.model.output import Output, encode_lines
from liteq.model.step import Event, Step
from liteq.states import Phase
from liteq.support.clock import ManualClock
from liteq.testing.contract.harness import rescuing
from tests import redis_workers
from tests.servers import RedisServer

IDS = "abcdef"  # few, so that they collide
QUEUES = ("x", "y")

ids = st.lists(st.sampled_from([*IDS, "unknown"]), max_size=4)
keeps = st.sampled_from([None, 0.0, 5.0])
limits = st.integers(0, 3)
# Seconds from now. Time passes in the same steps, so that times are met exactly.
offsets = st.sampled_from([None, -1.0, 0.0, 1.0, 6.0])
messages = st.builds(
    Message,
    id=st.sampled_from(IDS),
    task=st.just("task"),
    payload=st.binary(max_size=3),
    serializer=st.just("json"),
    queue=st.sampled_from(QUEUES),
    priority=st.integers(-1, 1),
    eta=offsets,
    expires=st.none() | st.just(9e9),
    retries=st.just(0),
    acks_late=st.booleans(),
    ignore_result=st.booleans(),
    track_started=st.booleans(),
    options=st.none() | st.just("{}"),
)


class Pair(NamedTuple):
    """One claim, with the delivery of each broker."""

    model: Delivery
    real: Delivery


class End(NamedTuple):
    """The end of a claim, without a broker's receipt."""

    pick: int  # which of all claims so far
    phase: Phase
    again: float | None  # SCHEDULED: seconds from now
    keep: float | None


ends = st.builds(
    End,
    pick=st.integers(0, 30),
    phase=st.sampled_from(
        [Phase.SCHEDULED, Phase.READY, Phase.SUCCEEDED, Phase.FAILED, Phase.DEAD]
    ),
    again=st.sampled_from([1.0, 6.0]),
    keep=keeps,
)


class Suspension(NamedTuple):
    """The suspension of a claim, or with the kind "step" a step after which it goes on."""

    pick: int  # which of all claims so far
    kind: str
    name: str
    seconds: float | None


KEYS = ("k1", "k2")
suspensions = st.builds(
    Suspension,
    pick=st.integers(0, 5),
    kind=st.sampled_from(["step", "sleep", "wait", "wait", "gather", "forget", "snooze"]),
    name=st.sampled_from(KEYS),
    seconds=st.sampled_from([None, 0.0, 1.0, 6.0]),
)

NAMES = ("daily", "hourly")
entries = st.builds(
    Entry,
    name=st.sampled_from(NAMES),
    schedule=st.just('{"every": 5}'),
    message=messages.map(lambda each: each._replace(id="", eta=None)),
    moment=offsets,
    due=offsets,
    planned=st.just(0.0),
    app=st.none() | st.just("shop"),
    version=st.just(0),
    paused=st.booleans(),
    runs=st.just(0),
    last=st.none(),
    last_id=st.none(),
    misfire=st.sampled_from(["once", "all"]),
    grace=st.none() | st.just(2.5),
    overlap=st.booleans(),
    jitter=st.just(0.5),
    expires=st.none() | st.just(9.0),
    undeclared=st.booleans(),
)
names = st.sampled_from(NAMES)


def task_of(id: str) -> Message:
    return Message(id, "task", b"", "json", "x")


def chain(name: str, n: int) -> Graph:
    """Return a task, `n` that follow it one after the other, and an errback of each."""
    steps = [f"{name}-{step}" for step in range(n + 1)]
    places = [Place(followed=True)]
    places += [Place(waits=before, takes=True, followed=True) for before in steps[:-1]]
    errbacks = {f"{step}-error": Place(waits=step, on_failure=1) for step in steps}
    ids = [*steps, *errbacks]
    return Graph(tuple(map(task_of, ids)), (*places, *errbacks.values()))


def chord(name: str, n: int) -> Graph:
    """Return members (two of them in an inner group), their body, and its errback."""
    places = {f"{name}-{m}": Place(group=name, position=m) for m in range(n)}
    inner = f"{name}-inner"
    places |= {f"{inner}-{m}": Place(group=inner, position=m) for m in range(2)}
    places[f"{name}-body"] = Place(waits=name, barrier=True, takes=True, followed=True)
    places[f"{name}-error"] = Place(waits=f"{name}-body", on_failure=2)
    groups = (Group(name, forgiving=n == 1), Group(inner, name, n))
    return Graph(tuple(map(task_of, places)), tuple(places.values()), groups)


SHAPES = {"chain": chain, "chord": chord}
shapes = st.sampled_from(sorted(SHAPES))


class Brokers(RuleBasedStateMachine):
    """Two brokers that get the same calls, and whose results are compared."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.model = MemoryBroker(self.clock)
        self.real = connect(self.new_store(), clock=self.clock)
        self.pairs: list[Pair] = []  # all claims so far: old receipts are tried as well
        self.workers: list[int] = []
        self.graphs = 0
        # By the model's receipt: the numbers of the last line, and of the first that is kept.
        self.printed: dict[Receipt, tuple[int, int]] = {}
        self.read: list[list[Entry]] = [[], []]  # entries of each broker, at any time so far

    def new_store(self) -> str:
        """Return the URL of an empty store."""
        raise NotImplementedError

    def kill_worker(self, worker: int, *, with_machine: bool) -> None:
        """Make the real store believe that the process of `worker` has died, or its machine."""
        raise NotImplementedError

    def teardown(self) -> None:
        self.model.close()
        self.real.close()

    def both(self, verb: str, *args: Any, **options: Any) -> Any:
        """Call both brokers; return the result, which must be the same."""
        verbs = getattr(self.model, verb), getattr(self.real, verb)
        model, real = (call(*args, **options) for call in verbs)
        assert model == real
        return model

    def after(self, seconds: float | None) -> float | None:
        return None if seconds is None else self.clock() + seconds

    # sending

    @rule(batch=st.lists(messages, max_size=3))
    def enqueue(self, batch: list[Message]) -> None:
        self.both("enqueue", [each._replace(eta=self.after(each.eta)) for each in batch])

    @rule(message=messages, ago=st.sampled_from([0.0, 0.5]))
    def enqueue_or_replace(self, message: Message, ago: float) -> None:
        message = message._replace(eta=self.after(message.eta))
        self.both("enqueue_or_replace", message, self.clock() - ago)

    @rule(n=st.integers(0, 3), shape=shapes)
    def enqueue_graph(self, n: int, shape: str) -> None:
        """Store a workflow with new ids, so that it is never known in part."""
        self.graphs += 1
        self.both("enqueue_graph", SHAPES[shape](f"g{self.graphs}", n))

    # working

    @rule(data=st.data(), queues=st.sets(st.sampled_from(QUEUES)), limit=limits)
    def claim(self, data: st.DataObject, queues: set[str], limit: int) -> None:
        claim = Claim(data.draw(st.sampled_from(self.workers)), tuple(queues), limit)
        self.note(self.model.claim(claim), self.real.claim(claim))

    @rule(data=st.data(), batch=st.lists(ends, max_size=3), limit=st.none() | limits)
    def settle(self, data: st.DataObject, batch: list[End], limit: int | None) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        claim = None if limit is None else Claim(worker, QUEUES, limit)
        chosen = [(end, self.pairs[-1 - end.pick]) for end in batch if end.pick < len(self.pairs)]

        model = self.model.settle([self.settlement(e, p.model) for e, p in chosen], claim)
        real = self.real.settle([self.settlement(e, p.real) for e, p in chosen], claim)

        mine, theirs = [p.model for _, p in chosen], [p.real for _, p in chosen]
        assert refused(model, mine) == refused(real, theirs)
        self.note(model.claimed, real.claimed)

    def settlement(self, end: End, delivery: Delivery) -> Settlement:
        again = delivery.message._replace(retries=delivery.message.retries + 1, eta=None)
        if end.phase is Phase.SCHEDULED:
            again = again._replace(eta=self.after(end.again))
        final = end.phase.final
        return Settlement(
            delivery.receipt,
            end.phase,
            self.clock(),
            result=b"result" if final else None,
            result_serializer="json" if final else None,
            keep_until=self.after(end.keep) if final else None,
            retry=None if final else again,
            lost=delivery.lost,
            why="" if final else "retry",
            tied=delivery.tied,
        )

    @rule(data=st.data(), batch=st.lists(suspensions, min_size=1, max_size=3))
    def suspend(self, data: st.DataObject, batch: list[Suspension]) -> None:
        """Let claims go on later, or store steps of them."""
        chosen = [
            (each, self.pairs[-1 - each.pick]) for each in batch if each.pick < len(self.pairs)
        ]
        self.graphs += len(chosen)
        named = [(n, each, pair) for n, (each, pair) in enumerate(chosen)]
        model = self.model.settle([self.suspension(n, e, p.model) for n, e, p in named])
        real = self.real.settle([self.suspension(n, e, p.real) for n, e, p in named])

        mine, theirs = [p.model for _, p in chosen], [p.real for _, p in chosen]
        assert refused(model, mine) == refused(real, theirs)

    def suspension(self, n: int, each: Suspension, delivery: Delivery) -> Settlement:
        now, until = self.clock(), self.after(each.seconds)
        going_on = Settlement(delivery.receipt, Phase.RUNNING, now, why=each.kind)
        if each.kind == "step":
            return going_on._replace(steps=(Step(each.name, "step", now, None, b"v", "json"),))
        again = delivery.message._replace(eta=until)
        later = going_on._replace(
            phase=Phase.SCHEDULED if until is not None and until > now else Phase.READY,
            retry=again,
            lost=delivery.lost,
            keeps_report=True,
        )
        step = Step(each.name, each.kind, now, until)
        match each.kind:
            case "sleep":
                return later._replace(steps=(step,))
            case "wait":
                phase = Phase.WAITING if until is None else later.phase
                return later._replace(phase=phase, steps=(step,), event=each.name)
            case "gather":
                name = f"g{self.graphs - n}-gathered"
                places = (Place(group=name), Place(group=name, position=1))
                members = (task_of(f"{name}-0"), task_of(f"{name}-1"))
                return later._replace(
                    phase=Phase.WAITING,
                    retry=again._replace(eta=None),
                    steps=(step._replace(value=b"[]"),),
                    graph=Graph(members, places, (Group(name, forgiving=True),)),
                    place=Place(waits=name, barrier=True),
                )
            case "forget":
                return later._replace(graph=Graph(), place=Place(), steps=None)
            case _:
                return later

    @rule(pick=st.integers(0, 5), lines=st.integers(1, 3), trim=st.booleans())
    def print(self, pick: int, lines: int, trim: bool) -> None:
        """Let a task print some lines, also one whose claim was lost or has ended."""
        if pick >= len(self.pairs):
            return
        pair, now = self.pairs[-1 - pick], self.clock()
        before, keep_from = self.printed.get(pair.model.receipt, (0, 1))
        last = before + lines
        keep_from = last if trim else keep_from
        self.printed[pair.model.receipt] = last, keep_from
        texts = encode_lines([(n, now, None, f"line {n}") for n in range(before + 1, last + 1)])
        output = Output(pair.model.attempts + 1, last, keep_from, texts, begins=before == 0)
        printed = Settlement(pair.model.receipt, Phase.RUNNING, now, output=output)
        model = self.model.settle([printed])
        real = self.real.settle([printed._replace(receipt=pair.real.receipt)])

        assert refused(model, [pair.model]) == refused(real, [pair.real])

    @rule(key=st.sampled_from(KEYS), value=st.binary(max_size=2), keep=keeps, again=st.booleans())
    def emit(self, key: str, value: bytes, keep: float | None, again: bool) -> None:
        self.graphs += 1
        id = "same" if again else str(self.graphs)
        self.both("emit", Event(key, value, "json", self.clock(), self.after(keep), id))

    def note(self, model: Sequence[Delivery], real: Sequence[Delivery]) -> None:
        assert list(map(handed, model)) == list(map(handed, real))
        self.pairs += map(Pair, model, real)

    @rule(picks=st.lists(st.integers(0, 30), max_size=3))
    def release(self, picks: list[int]) -> None:
        pairs = [self.pairs[-1 - pick] for pick in picks if pick < len(self.pairs)]
        self.model.release([each.model.receipt for each in pairs])
        self.real.release([each.real.receipt for each in pairs])

    @rule()
    def promote(self) -> None:
        self.both("promote")

    @rule(max_lost=st.integers(1, 3), keep=keeps, started=st.none() | st.sets(st.integers(0, 30)))
    def rescue(self, max_lost: int, keep: float | None, started: set[int] | None) -> None:
        pairs = [self.pairs[-1 - n] for n in started or () if n < len(self.pairs)]
        mine, theirs = tokens(p.model for p in pairs), tokens(p.real for p in pairs)
        unknown = started is None
        model = self.model.rescue(rescuing(self.clock, max_lost, keep, None if unknown else mine))
        real = self.real.rescue(rescuing(self.clock, max_lost, keep, None if unknown else theirs))
        assert sorted(map(seen, model)) == sorted(map(seen, real))

    # schedules

    @rule(batch=st.lists(entries, max_size=2))
    def schedule(self, batch: list[Entry]) -> None:
        now = self.clock()
        self.both("schedule", [e._replace(due=self.after(e.due), planned=now) for e in batch])

    @rule(names=st.lists(names, max_size=2))
    def unschedule(self, names: list[str]) -> None:
        self.both("unschedule", names)

    @rule(due_by=offsets)
    def read_schedules(self, due_by: float | None) -> None:
        read = [broker.schedules(self.after(due_by)) for broker in (self.model, self.real)]
        assert [each._replace(version=0) for each in read[0]] == [
            each._replace(version=0) for each in read[1]
        ]
        for earlier, more in zip(self.read, read, strict=True):
            earlier.extend(more)

    @rule(pick=st.integers(0, 9), due=offsets, paused=st.booleans())
    def reschedule(self, pick: int, due: float | None, paused: bool) -> None:
        """Change entries, also ones that were changed or dropped since they were read."""
        changed = [
            [each._replace(due=self.after(due), paused=paused) for each in read[-1 - pick :][:1]]
            for read in self.read
        ]
        model, real = self.model.schedule(changed[0]), self.real.schedule(changed[1])
        assert model == real

    @rule(picks=st.lists(st.integers(0, 9), max_size=3), id=st.sampled_from([*IDS, None]))
    def fire(self, picks: list[int], id: str | None) -> None:
        def step(entry: Entry) -> Firing:
            after = entry._replace(due=self.clock() + 5, planned=self.clock())
            if id is None:
                return Firing(after, None)
            after = after._replace(runs=entry.runs + 1, last=self.clock(), last_id=id)
            return Firing(after, entry.message._replace(id=id))

        chosen = [[step(read[-1 - p]) for p in picks if p < len(read)] for read in self.read]
        model, real = self.model.fire(chosen[0]), self.real.fire(chosen[1])
        assert model == real

    # results

    @rule(ids=ids)
    def report(self, ids: list[str]) -> None:
        for id in ids:
            self.both("report", id, "PROGRESS", b"half", "json")

    @rule(ids=ids)
    def forget(self, ids: list[str]) -> None:
        self.both("forget", ids)

    @rule(ids=ids, keep=keeps, terminate=st.booleans())
    def cancel(self, ids: list[str], keep: float | None, terminate: bool) -> None:
        self.both("cancel", ids, keep, terminate=terminate)

    @rule(ids=ids)
    def revive(self, ids: list[str]) -> None:
        self.both("revive", ids)

    @rule(limit=st.integers(1, 3))
    def sweep(self, limit: int) -> None:
        self.both("sweep", limit)

    @rule(queues=st.none() | st.sets(st.sampled_from(QUEUES)))
    def purge(self, queues: set[str] | None) -> None:
        self.both("purge", None if queues is None else sorted(queues))

    # workers

    @initialize()
    def a_worker(self) -> None:
        self.register()

    @rule()
    def register(self) -> None:
        self.workers.append(self.both("register", f"worker-{len(self.workers)}", "{}"))

    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        self.both("beat", data.draw(st.sampled_from(self.workers)), '{"done": 1}')

    @rule(data=st.data())
    def unregister(self, data: st.DataObject) -> None:
        """Unregister a worker. It may go on claiming, as its number may be used by mistake."""
        self.both("unregister", data.draw(st.sampled_from(self.workers)))

    @rule(data=st.data(), limit=limits, with_machine=st.booleans())
    def kill(self, data: st.DataObject, limit: int, with_machine: bool) -> None:
        """Kill a worker that has just claimed: seldom does one hold tasks by chance."""
        worker = data.draw(st.sampled_from(self.workers))
        self.claim_and_die(worker, limit, with_machine=with_machine)

    def claim_and_die(self, worker: int, limit: int, *, with_machine: bool) -> None:
        claim = Claim(worker, QUEUES, limit)
        self.note(self.model.claim(claim), self.real.claim(claim))
        self.model.mark_dead(worker, with_machine=with_machine)
        self.kill_worker(worker, with_machine=with_machine)
        # A dead worker neither claims nor beats. Its claims may still be settled.
        self.workers.remove(worker)
        if not self.workers:
            self.register()

    # time

    @rule(seconds=st.sampled_from([1.0, 5.0, 6.0, -1.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # what must hold after each step

    @invariant()
    def they_have_the_same_records(self) -> None:
        names = [each.message.id for each in self.model.listing(list(Phase), 999)]
        ids = [*IDS, *names]
        model, real = (broker.fetch(ids) for broker in (self.model, self.real))
        assert [each and seen(each) for each in model] == [each and seen(each) for each in real]

    @invariant()
    def they_count_and_list_the_same(self) -> None:
        assert self.model.counts() == sorted(self.real.counts())
        model, real = (broker.listing(list(Phase), 99) for broker in (self.model, self.real))
        assert [each.message.id for each in model] == [each.message.id for each in real]

    @invariant()
    def they_have_the_same_attempts(self) -> None:
        for id in IDS:
            model, real = (comparable(broker.attempts(id)) for broker in (self.model, self.real))
            assert model == real

    @invariant()
    def they_have_the_same_steps_output_and_events(self) -> None:
        names = [each.message.id for each in self.model.listing(list(Phase), 999)]
        for id in {*IDS, *names}:
            self.both("steps", id)
            self.both("output", id)
        for key in KEYS:
            self.both("event", key)

    @invariant()
    def they_terminate_the_same_tasks(self) -> None:
        for worker in self.workers:
            found = [broker.to_terminate(worker) for broker in (self.model, self.real)]
            model, real = (sorted(each.id for each in tasks) for tasks in found)
            assert model == real

    @invariant()
    def they_have_the_same_entries(self) -> None:
        self.both("next_fire")
        model, real = (broker.schedules() for broker in (self.model, self.real))
        assert [each._replace(version=0) for each in model] == [
            each._replace(version=0) for each in real
        ]

    @invariant()
    def they_list_the_same_workers(self) -> None:
        self.both("workers")


NO_RECEIPT = Receipt("", 0)


def tokens(deliveries: Iterable[Delivery]) -> frozenset[int]:
    return frozenset(each.receipt.token for each in deliveries)


def comparable(attempts: list[Attempt]) -> list[Attempt]:
    """Return attempts without their errors: each broker words its own for a dead worker."""
    return [each._replace(error=None) for each in attempts]


def seen(record: Record) -> Record:
    """Return `record` without its token, its place and the text of its error, which differ by
    broker."""
    return record._replace(token=0, seq=0, traceback=record.traceback and "…")


def handed(delivery: Delivery) -> Delivery:
    """Return `delivery` without the same, and without its receipt and place."""
    key, token = NO_RECEIPT
    inputs = taken(delivery.inputs)
    return delivery._replace(key=key, token=token, inputs=inputs, place=None)


def taken(inputs: Any) -> Any:
    if isinstance(inputs, list):
        return [taken(each) for each in inputs]
    return inputs and inputs._replace(traceback=inputs.traceback and "…")


def refused(settled: Settled, deliveries: Sequence[Delivery]) -> list[int]:
    """Return the indexes of the `deliveries` that were refused."""
    return [n for n, each in enumerate(deliveries) if each.receipt in settled.refused]


class SqliteStore(Brokers):
    def new_store(self) -> str:
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name, "store.db")
        return f"sqlite:///{self.path}?durability=fast"

    def kill_worker(self, worker: int, *, with_machine: bool) -> None:
        exited = this_process()._replace(start="1")  # its pid is ours by now
        owner = exited._replace(boot="an earlier one") if with_machine else exited
        with sqlite3.connect(self.path) as db:
            db.execute("update liteq_worker set owner = ? where id = ?", (str(owner), worker))
        db.close()

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


class RedisStore(Brokers):
    server: RedisServer

    def new_store(self) -> str:
        self.server.command("FLUSHALL")
        return self.server.url

    def kill_worker(self, worker: int, *, with_machine: bool) -> None:
        die = redis_workers.restart_machine if with_machine else redis_workers.kill
        die(self.real, worker)


@pytest.fixture
def redis_for_machine(shared_redis: RedisServer) -> None:
    RedisStore.server = shared_redis


TestSqliteMachine = SqliteStore.TestCase
TestRedisMachine = pytest.mark.usefixtures("redis_for_machine")(RedisStore.TestCase)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("with_machine", [False, True])
@pytest.mark.parametrize("store", [SqliteStore, RedisStore])
def test_workers_die_the_same_death_in_both_brokers(
    store: type[Brokers], with_machine: bool, left: bool, request: pytest.FixtureRequest
) -> None:
    """A task is charged for the death of its process, and not for that of the machine.

    What a worker claims after it has left is not rescued.
    """
    if store is RedisStore:
        request.getfixturevalue("redis_for_machine")
    machine = store()
    try:
        machine.a_worker()
        (worker,) = machine.workers
        if left:
            machine.both("unregister", worker)
        machine.enqueue([task_of("late"), task_of("early")._replace(acks_late=False)])
        machine.claim_and_die(worker, 2, with_machine=with_machine)
        machine.rescue(max_lost=3, keep=None, started=None)
        machine.they_have_the_same_records()
        machine.they_have_the_same_attempts()
        (late,) = machine.model.fetch(["late"])
        assert late is not None
        assert late.lost == (0 if with_machine or left else 1)
    finally:
        machine.teardown()


# They take many steps, and after a failure many more to find the shortest way to it.
pytestmark = pytest.mark.timeout(600)
