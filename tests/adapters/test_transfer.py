"""Tasks are moved from one store to another, and nothing is lost."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker
from liteq.brokers.transfer import Arrival, Left, Movable, TransferBatch
from liteq.execution.context import Context
from liteq.model.entry import Entry
from liteq.model.graph import Graph, Group, Place
from liteq.model.message import Delivery, Message, Record
from liteq.model.outcome import Settlement
from liteq.model.output import Output, encode_lines
from liteq.model.step import Event, Step
from liteq.states import Phase
from liteq.support.clock import ManualClock
from tests.servers import RedisServer

KEY = "k" * 32
WAYS = [("sqlite", "redis"), ("redis", "sqlite"), ("sqlite", "other"), ("redis", "redis2")]

Stores = tuple[Movable, Movable]


def message(id: str, **fields: Any) -> Message:
    usual = {"task": "task", "payload": b"\0payload", "serializer": "json", "queue": "celery"}
    return Message(id, **{**usual, **fields})


def succeeded(delivery: Delivery, at: float) -> Settlement:
    return Settlement(
        delivery.receipt,
        Phase.SUCCEEDED,
        at,
        delivery.message.id.encode(),
        "json",
        keep_until=at + 60,
        tied=delivery.tied,
        old_place=delivery.place,
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=WAYS, ids="-".join)
def stores(
    request: pytest.FixtureRequest, tmp_path: Path, redis_store: str, clock: ManualClock
) -> Iterator[Stores]:
    urls = {
        "sqlite": f"sqlite:///{tmp_path / 'a.db'}?durability=fast",
        "other": f"sqlite:///{tmp_path / 'b.db'}?durability=fast",
        "redis": redis_store,
        "redis2": redis_store + "?name=two",
    }
    brokers = [connect(urls[name], clock=clock, secret_key=KEY) for name in request.param]
    source, target = brokers
    assert isinstance(source, Movable)
    assert isinstance(target, Movable)
    yield source, target
    source.close()
    target.close()


def move(source: Movable, target: Movable, size: int = 3) -> list[TransferBatch]:
    """Move everything; return the batches."""
    moved = []
    for batch in source.pack(size):
        target.unpack(batch)
        source.discard(batch.arrivals)
        target.confirm(batch.arrivals)
        moved.append(batch)
    return moved


def known(broker: Movable) -> list[Record]:
    """Return all records, without the tokens, which are the store's own."""
    return [each._replace(token=0) for each in broker.listing(list(Phase), 9999)]


def without_options(records: list[Record]) -> list[Record]:
    """Return records without options, which a store with signatures has in other places."""
    return [each._replace(message=each.message._replace(options=None)) for each in records]


def work(broker: Movable, *, until: Callable[[Delivery], bool] = lambda _: False) -> list[str]:
    """Run what is ready, until `until` is true of a delivery; return the ids in order."""
    worker = broker.register("worker", "{}")
    ran = []
    while got := broker.claim(Claim(worker, ("celery", "mail"), 1)):
        if until(got[0]):
            break
        ran.append(got[0].message.id)
        broker.settle([succeeded(got[0], broker.clock())])
    broker.unregister(worker)
    return ran


def test_every_task_is_moved_unchanged(stores: Stores, clock: ManualClock) -> None:
    source, target = stores
    source.enqueue([message("done"), message("dead"), message("again")])
    worker = source.register("ada@host", "{}")
    done, dead, again = source.claim(Claim(worker, ("celery",), 3))
    clock.advance(2)
    source.settle(
        [
            succeeded(done, clock()),
            succeeded(dead, clock())._replace(phase=Phase.DEAD, traceback="boom", lost=2),
            Settlement(
                again.receipt,
                Phase.SCHEDULED,
                clock(),
                b"why",
                "json",
                "frames",
                retry=again.message._replace(retries=1, eta=clock() + 30),
                why="retry",
            ),
        ]
    )
    source.unregister(worker)
    source.enqueue(
        [
            message("ready", priority=-3, options='{"headers": {"n": 12345678901234567}}'),
            message("mail", queue="mail", priority=5, acks_late=False, expires=9e9),
            message("later", eta=clock() + 60, ignore_result=True, track_started=True),
            message("gone"),
        ]
    )
    source.cancel(["gone"], keep=None)
    before = known(source)
    attempts = {each.message.id: source.attempts(each.message.id) for each in before}

    move(source, target)

    assert known(target) == before
    assert {id: target.attempts(id) for id in attempts} == attempts
    assert known(source) == []
    assert sorted(target.counts()) == sorted(
        {("celery", phase, 1) for phase in (2, 4, 6, 7)} | {("celery", 1, 2), ("mail", 2, 1)}
    )


def waits(delivery: Delivery, now: float, step: Step) -> Settlement:
    """Return the settlement of a task that is to wait for the event that `step` is named by."""
    return Settlement(
        delivery.receipt,
        Phase.WAITING,
        now,
        retry=delivery.message,
        why="awaited",
        steps=(Step("charge", "step", now - 1, None, b"paid", "json"), step),
        event=step.name,
        keeps_report=True,
    )


def test_steps_are_moved_and_a_task_still_waits_for_its_event(
    stores: Stores, clock: ManualClock
) -> None:
    source, target = stores
    source.enqueue([message("a"), message("b")])
    worker = source.register("worker", "{}")
    a, b = source.claim(Claim(worker, ("celery",), 2))
    step = Step("approved", "wait", clock())
    source.settle([waits(a, clock(), step), waits(b, clock(), step._replace(name="other"))])
    source.emit(Event("early", b"value", "json", clock(), None, "1"))
    source.emit(Event("old", b"value", "json", clock(), clock() + 1, "2"))
    source.unregister(worker)
    clock.advance(5)
    before, steps = known(source), source.steps("a")
    assert len(steps) == 2

    move(source, target)

    assert known(target) == before
    assert (target.steps("a"), source.steps("a")) == (steps, [])
    assert [event.key for event in source.pack_events()] == ["early"]
    assert target.emit(Event("approved", b"yes", "json", clock(), None, "3"))
    assert work(target) == ["a"]
    assert [step.value for step in target.steps("a")] == [b"paid", b"yes"]
    target.forget(["a"])
    assert target.steps("a") == []


def test_what_tasks_have_printed_is_moved(stores: Stores, clock: ManualClock) -> None:
    source, target = stores
    source.enqueue([message("a"), message("b"), message("c")])
    worker = source.register("worker", "{}")
    a, b = source.claim(Claim(worker, ("celery",), 2))
    now = clock()
    lines = encode_lines([(3, now, None, "printed"), (4, now + 1, "INFO", "lögged")])
    printed = Settlement(a.receipt, Phase.RUNNING, now, output=Output(1, 4, 3, lines, begins=True))
    again = Settlement(a.receipt, Phase.READY, now, retry=a.message, why="retry")
    source.settle([printed, again, succeeded(b, now)])
    (a,) = source.claim(Claim(worker, ("celery",), 1))
    second = Output(2, 1, 1, encode_lines([(1, now, None, "x" * 8192)]), begins=True)
    source.settle([printed._replace(receipt=a.receipt, output=second), succeeded(a, now)])
    source.unregister(worker)
    before, output = known(source), source.output("a")
    assert [(line.attempt, line.number) for line in output] == [(1, 3), (1, 4), (2, 1)]

    move(source, target)

    assert known(target) == before
    assert (target.output("a"), target.output("b"), source.output("a")) == (output, [], [])
    target.forget(["a"])
    assert target.output("a") == []


def test_a_moved_task_whose_event_has_come_in_the_other_store_is_ready(
    stores: Stores, clock: ManualClock
) -> None:
    source, target = stores
    source.enqueue([message("a")])
    worker = source.register("worker", "{}")
    (a,) = source.claim(Claim(worker, ("celery",), 2))
    source.settle([waits(a, clock(), Step("approved", "wait", clock()))])
    source.unregister(worker)
    target.emit(Event("approved", b"yes", "json", clock(), None, "1"))

    move(source, target)

    assert work(target) == ["a"]
    assert target.steps("a")[-1].value == b"yes"


def test_moved_tasks_run_in_the_same_order(stores: Stores, clock: ManualClock) -> None:
    source, target = stores
    source.enqueue([message(f"{n}", priority=n % 3) for n in range(30)])
    source.enqueue([message("later", eta=clock() + 5)])
    move(source, target)

    assert work(target) == [str(n) for p in (2, 1, 0) for n in range(30) if n % 3 == p]
    clock.advance(5)
    target.promote()
    assert work(target) == ["later"]


def test_moving_twice_moves_once(stores: Stores) -> None:
    """A move may be interrupted before the old store has deleted its tasks."""
    source, target = stores
    source.enqueue([message("a"), message("b")])
    batch = next(source.pack(9))
    target.unpack(batch)
    assert work(target) == ["a", "b"]

    again = next(source.pack(9))
    target.unpack(again)
    source.discard(again.arrivals)
    assert len(known(target)) == 2
    assert work(target) == []
    assert known(source) == []


def test_what_has_arrived_is_known_until_it_is_confirmed(
    stores: Stores, clock: ManualClock
) -> None:
    """A move is interrupted, and what it brought has been run and forgotten when it goes on."""
    source, target = stores
    source.enqueue([message("a"), message("b")])
    plant(source)
    for batch in source.pack(99):
        target.unpack(batch)
    while work(target):
        pass
    clock.advance(1e6)
    while target.sweep(100):
        pass
    assert known(target) == []

    source.discard(target.arrived())
    assert known(source) == []
    assert move(source, target) == []
    assert work(target) == []


def test_nothing_is_remembered_of_a_move_that_is_over(stores: Stores) -> None:
    source, target = stores
    source.enqueue([message("a")])
    plant(source)
    move(source, target)

    assert target.arrived() == source.arrived() == []


def test_what_another_store_may_still_have_is_remembered(stores: Stores, tmp_path: Path) -> None:
    """Moves of two stores into one were interrupted; one of them goes on."""
    source, target = stores
    third = connect(f"sqlite:///{tmp_path / 'third.db'}", secret_key=KEY)
    assert isinstance(third, Movable)
    for store, id in ((source, "a"), (third, "b")):
        store.enqueue([message(id)])
        target.unpack(next(store.pack(9)))

    target.confirm(source.discard(target.arrived()))
    assert [each.id for each in target.arrived()] == ["b"]
    assert known(source) == []
    assert len(known(third)) == 1
    third.close()


def test_only_what_was_deleted_is_returned(stores: Stores) -> None:
    source, _ = stores
    source.enqueue([message("a"), message("runs")])
    plant(source)
    batches = list(source.pack(99))
    arrivals = [each for batch in batches for each in batch.arrivals]
    worker = source.register("worker", "{}")
    source.claim(Claim(worker, ("celery",), 1))
    (running,) = source.listing([Phase.RUNNING], 9)

    deleted = source.discard([*arrivals, Arrival("unknown", 1.0), Arrival("unknown", None)])
    assert set(deleted) == {each for each in arrivals if each.id != running.message.id}
    assert source.discard(deleted) == []


def test_an_arrival_that_liteq_did_not_write_is_passed_over(stores: Stores, tmp_path: Path) -> None:
    source, target = stores
    source.enqueue([message("a")])
    target.unpack(next(source.pack(9)))
    if isinstance(target, RedisBroker):
        key = f"{target.location.prefix}:arrived"
        for field in (b"\xff\n1.0", b"x\nsoon", b"x\nnan", b"\xff"):
            target.server.execute("HSET", key, field, "")
    else:
        with closing(
            sqlite3.connect(target.url.partition("?")[0][10:], isolation_level=None)
        ) as db:
            rows = [(b"\xff", 1.0, 1.0), ("x", "soon", 1.0), ("x", b"", 1.0)]
            db.executemany("insert into liteq_arrival values (?, ?, ?)", rows)

    assert [each.id for each in target.arrived()] == ["a"]
    assert [each.id for each in source.discard(target.arrived())] == ["a"]


def test_an_id_that_is_used_again_is_another_task(stores: Stores, clock: ManualClock) -> None:
    source, target = stores
    source.enqueue([message("a")])
    target.unpack(next(source.pack(9)))
    work(target)
    target.forget(["a"])
    source.discard(target.arrived())
    clock.advance(1)
    source.enqueue([message("a")])

    source.discard(target.arrived())
    move(source, target)
    assert work(target) == ["a"]


def test_arrivals_are_not_remembered_for_ever(stores: Stores, clock: ManualClock) -> None:
    source, target = stores
    source.enqueue([message("a"), message("b")])
    first, second = source.pack(1)
    target.unpack(first)
    if isinstance(target, RedisBroker):  # its own clock decides
        left = target.server.execute("TTL", f"{target.location.prefix}:arrived")
        assert 0 < left <= 30 * 86400
    else:
        clock.advance(31 * 86400)
        target.unpack(second)
        assert [each.id for each in target.arrived()] == ["b"]


def test_a_workflow_with_a_task_that_stays_stays_as_a_whole(stores: Stores) -> None:
    source, target = stores
    plant(source)
    source.enqueue([message("alone")])
    alone, workflows = source.pack(99)
    kept = workflows.leaving([Left("i1", "no", Place(group="inner", position=1))])
    for batch in (alone, kept):
        target.unpack(batch)
        source.discard(batch.arrivals)

    assert sorted(each.message.id for each in known(target)) == ["a", "alone", "b", "b-error", "c"]
    assert {each.id: each.why for each in kept.left} == {
        "i1": "no",
        **dict.fromkeys(
            ["m0", "m1", "m2", "i0", "body", "body-error"],
            "it is in a workflow with i1, which stays",
        ),
    }
    assert sorted(work(target)) == ["a", "alone", "b", "c"]
    assert sorted(work(source)) == ["body", "i0", "i1", "m0", "m1", "m2"]


def plant(broker: Movable) -> None:
    """Send a chain, a chord with a group in its group, and errbacks."""
    steps = {
        "a": Place(followed=True),
        "b": Place(waits="a", takes=True, followed=True),
        "b-error": Place(waits="b", on_failure=1),
        "c": Place(waits="b", takes=True),
    }
    members = {f"m{n}": Place(group="g", position=n) for n in range(3)}
    members |= {f"i{n}": Place(group="inner", position=n) for n in range(2)}
    members["body"] = Place(waits="g", barrier=True, takes=True, followed=True)
    members["body-error"] = Place(waits="body", on_failure=2)
    broker.enqueue_graph(Graph(tuple(map(message, steps)), tuple(steps.values())))
    options = '{"root_id": "m0", "chord": "body"}'
    groups = (Group("g", options=options), Group("inner", outer="g", position=3))
    broker.enqueue_graph(Graph(tuple(map(message, members)), tuple(members.values()), groups))


def test_a_moved_workflow_continues_where_it_was(stores: Stores) -> None:
    source, target = stores
    plant(source)
    assert work(source, until=lambda each: each.message.id == "b") == ["a"]
    before = known(source)
    move(source, target)

    assert without_options(known(target)) == without_options(before)
    assert known(source) == []
    worker = target.register("worker", "{}")
    results, options = {}, {}
    while got := target.claim(Claim(worker, ("celery",), 1)):
        results[got[0].message.id] = got[0].inputs
        options[got[0].message.id] = Context(got[0]).options
        target.settle([succeeded(got[0], target.clock())])
    assert list(results) == ["b", "c", "m0", "m1", "m2", "i0", "i1", "body"]
    assert results["b"].result == b"a"
    of_group = {"root_id": "m0", "chord": "body", "group_id": "g"}
    assert [options[id] for id in ("m2", "i1", "body")] == [
        {**of_group, "group_index": 2},
        {"group_id": "inner", "group_index": 1},
        {},
    ]
    first, second, third, inner = results["body"]
    assert [each.result for each in (first, second, third, *inner)] == [
        *(b"m0", b"m1", b"m2"),
        *(b"i0", b"i1"),
    ]
    assert target.fetch(["b-error", "body-error"]) == [None, None]


def test_a_chain_that_ends_with_a_group_is_moved(stores: Stores) -> None:
    """Nothing waits for that group, so there is none: its tasks have positions all the same."""
    source, target = stores
    places = [Place(followed=True), *(Place(waits="a", takes=True, position=n) for n in (0, 1))]
    source.enqueue_graph(Graph(tuple(map(message, "abc")), tuple(places)))
    assert work(source, until=lambda each: each.message.id == "c") == ["a", "b"]
    move(source, target)

    assert work(target) == ["c"]
    assert [each.result for each in target.fetch(["a", "b", "c"]) if each] == [b"a", b"b", b"c"]


def test_the_delay_of_a_step_is_moved_too(stores: Stores, clock: ManualClock) -> None:
    source, target = stores
    places = (Place(followed=True), Place(waits="a", delay=5.0))
    source.enqueue_graph(Graph((message("a"), message("b")), places))
    move(source, target)

    assert work(target) == ["a"]
    clock.advance(5)
    target.promote()
    assert work(target) == ["b"]


def test_a_failed_workflow_can_be_revived_after_the_move(stores: Stores) -> None:
    source, target = stores
    plant(source)
    worker = source.register("worker", "{}")
    while got := source.claim(Claim(worker, ("celery",), 1)):
        settlement = succeeded(got[0], source.clock())
        if got[0].message.id in ("a", "i1"):
            settlement = settlement._replace(phase=Phase.DEAD)
        source.settle([settlement])
    source.unregister(worker)
    move(source, target)
    assert [each.phase for each in target.fetch(["b", "body"]) if each] == [Phase.SKIPPED] * 2

    assert sorted(target.revive(["a", "i1"])) == ["a", "i1"]
    assert sorted(work(target)) == ["a", "b", "body", "c", "i1"]


def test_a_workflow_is_not_moved_while_a_task_of_it_runs(stores: Stores) -> None:
    source, target = stores
    plant(source)
    source.enqueue([message("alone")])
    worker = source.register("worker", "{}")
    (running,) = source.claim(Claim(worker, ("celery",), 1))
    move(source, target)
    assert [each.message.id for each in known(target)] == ["alone"]

    source.settle([succeeded(running, source.clock())])
    move(source, target)
    assert len(known(target)) == 12
    assert known(source) == []


def test_a_sweep_after_the_move_deletes_everything(
    stores: Stores, clock: ManualClock, shared_redis: RedisServer
) -> None:
    source, target = stores
    plant(source)
    work(source, until=lambda each: each.message.id == "m1")
    move(source, target)
    work(target)
    clock.advance(1e6)
    while target.sweep(100):
        pass

    assert known(target) == []
    kinds = (b":task:", b":group:", b":members:", b":inner:", b":open:", b":waiters:", b":barrier:")
    keys = shared_redis.command("KEYS", "*")
    assert [key for key in keys if any(kind in key for kind in kinds)] == []


@pytest.fixture
def signed(redis_store: str) -> Iterator[tuple[RedisBroker, Movable]]:
    """Two stores with signatures."""
    urls = (redis_store, redis_store + "?name=two")
    source, target = (connect(url, secret_key=KEY) for url in urls)
    assert isinstance(source, RedisBroker)
    assert isinstance(target, Movable)
    yield source, target
    source.close()
    target.close()


def test_an_unsigned_task_is_not_signed_by_moving_it(
    signed: tuple[RedisBroker, Movable], redis_store: str
) -> None:
    source, target = signed
    with closing(connect(redis_store)) as unsigned:
        unsigned.enqueue([message("evil")])
    source.enqueue([message("good")])

    (batch,) = move(source, target)
    assert [each.message.id for each in known(target)] == ["good"]
    assert [(each.id, each.why) for each in batch.left] == [("evil", "it is not signed")]
    assert [each.message.id for each in known(source)] == ["evil"]


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("task:bad", "phase", "no"),
        ("task:bad", "created", "nan"),
        ("task:bad", "message", "no"),
        ("task:bad", "position", b"\xff"),
        ("task:bad", "traceback", b"\xff"),
        ("group:bad-group", "position", "no"),
    ],
)
def test_a_record_that_cannot_be_read_stays_and_the_others_are_moved(
    signed: tuple[RedisBroker, Movable], key: str, field: str, value: str | bytes
) -> None:
    source, target = signed
    source.enqueue([message("good")])
    plant(source)
    places = (Place(group="bad-group"), Place(waits="bad-group", barrier=True, takes=True))
    graph = Graph((message("bad"), message("bad-body")), places, (Group("bad-group"),))
    source.enqueue_graph(graph)
    source.server.execute("HSET", f"{{liteq}}:{key}", field, value)

    left: dict[str, str] = {}
    for batch in source.pack(99):
        kept = batch.leaving(batch.left)
        target.unpack(kept)
        source.discard(kept.arrivals)
        left |= {each.id: each.why for each in kept.left}

    assert sorted(left) == ["bad", "bad-body"]
    assert "cannot be read" in left["bad"]
    assert len(known(target)) == 12
    assert source.server.execute("EXISTS", "{liteq}:task:bad", "{liteq}:group:bad-group") == 2


@pytest.mark.parametrize("column", ["payload", "expires", "result", "options", "phase", "created"])
def test_a_row_that_no_other_store_could_keep_stays(
    tmp_path: Path, redis_store: str, column: str
) -> None:
    """Any program may insert into the file, and SQLite takes any type."""
    value = {"payload": "x'ff'", "options": "x'00'", "result": "'text'"}.get(column, "'tomorrow'")
    path = tmp_path / "a.db"
    source, target = connect(f"sqlite:///{path}"), connect(redis_store)
    assert isinstance(source, Movable)
    assert isinstance(target, Movable)
    source.enqueue([message("good"), message("bad"), message("better")])
    with sqlite3.connect(path) as db:
        db.execute(f"update liteq_task set {column} = {value} where id = 'bad'")
    db.close()

    batches = move(source, target, size=1)
    moved = [each.message.id for each in known(target)]
    if column == "payload":  # bytes are never decoded here
        assert moved == ["good", "bad", "better"]
    else:
        assert moved == ["good", "better"]
        assert [left.id for batch in batches for left in batch.left] == ["bad"]
    source.close()
    target.close()


@pytest.mark.parametrize("column", ["position", "closed", "blame", "outer_group"])
def test_a_group_in_a_file_that_no_other_store_could_keep_stays(
    tmp_path: Path, column: str
) -> None:
    path = tmp_path / "a.db"
    source, target = connect(f"sqlite:///{path}"), connect(f"sqlite:///{tmp_path / 'b.db'}")
    assert isinstance(source, Movable)
    assert isinstance(target, Movable)
    plant(source)
    places = (Place(group="bad-group"), Place(waits="bad-group", barrier=True, takes=True))
    graph = Graph((message("bad"), message("bad-body")), places, (Group("bad-group"),))
    source.enqueue_graph(graph)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"update liteq_group set {column} = x'ff' where id = 'bad-group'")

    left: dict[str, str] = {}
    for batch in source.pack(99):
        kept = batch.leaving(batch.left)
        target.unpack(kept)
        source.discard(kept.arrivals)
        left |= {each.id: each.why for each in kept.left}
    why = "the group that it is in, or waits for, cannot be read"
    assert left == dict.fromkeys(("bad", "bad-body"), why)
    assert len(known(target)) == 11
    assert len(known(source)) == 2
    source.close()
    target.close()


def test_the_schedules_that_stay_are_named_with_the_reason(
    signed: tuple[RedisBroker, Movable], redis_store: str
) -> None:
    source, _ = signed
    with closing(connect(redis_store)) as unsigned:
        unsigned.schedule([Entry("forged", "{}", message(""))])
    source.schedule([Entry(name, "{}", message("")) for name in ("good", "bad", "late")])
    source.server.execute("HSET", "{liteq}:schedule:bad", "runs", "many")
    source.server.execute("HSET", "{liteq}:schedule:late", "runs", "9" * 30)
    source.server.execute("ZADD", "{liteq}:schedules", 1, "text")
    source.server.execute("SET", "{liteq}:schedule:text", "text")

    entries, left = source.pack_schedules()
    assert [each.name for each in entries] == ["good"]
    assert sorted(left) == ["bad", "forged", "late", "text"]
    assert left["forged"] == "it is not signed"
    assert "not every store can keep" in left["late"]


def test_entries_of_periodic_tasks_are_the_same_in_both_stores(
    stores: Stores, clock: ManualClock
) -> None:
    source, target = stores
    entry = Entry("daily", "{}", message(""), clock() + 60, clock() + 61, clock(), runs=3)
    source.schedule([entry])
    (read,) = source.schedules()
    assert target.schedule([read._replace(version=0)]) == []

    assert target.schedules()[0]._replace(version=0) == entry
