"""Bulks on Redis: stored in steps, and seen by others as one."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker
from liteq.brokers.redis.scripting import Argument
from liteq.brokers.redis.server import Server
from liteq.brokers.transfer import TransferBatch
from liteq.exceptions import BrokerError, BrokerUnavailable
from liteq.model.graph import Graph, Group, Place
from liteq.model.message import Delivery, Message
from liteq.model.outcome import Settlement
from liteq.states import Phase
from liteq.support.clock import ManualClock

MANY = 1200  # tasks: more than one script stores
QUEUES = ("celery",)


class KilledError(BaseException):
    """What ends a sender in these tests."""


class WatchedServer(Server):
    """A server whose scripts can be watched: `before` and `after` are called with the verb."""

    before: Callable[[str], None] = staticmethod(lambda verb: None)
    after: Callable[[str], None] = staticmethod(lambda verb: None)

    def run(self, verb: str, *args: Argument) -> object:
        self.before(verb)
        reply = super().run(verb, *args)
        self.after(verb)
        return reply


def kill_at(wanted: str, nth: int = 1) -> Callable[[str], None]:
    """Return a watcher that ends the sender at the `nth` script of the verb `wanted`."""
    numbers = count(1)

    def watch(verb: str) -> None:
        if verb == wanted and next(numbers) == nth:
            raise KilledError

    return watch


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sender(redis_store: str, clock: ManualClock) -> Iterator[RedisBroker]:
    broker = connect(redis_store, clock=clock)
    assert isinstance(broker, RedisBroker)
    broker.server = WatchedServer(broker.location)
    yield broker
    broker.close()


@pytest.fixture
def broker(redis_store: str, clock: ManualClock) -> Iterator[RedisBroker]:
    """The broker of another process."""
    broker = connect(redis_store, clock=clock)
    assert isinstance(broker, RedisBroker)
    yield broker
    broker.close()


@pytest.fixture
def watch(sender: RedisBroker) -> WatchedServer:
    assert isinstance(sender.server, WatchedServer)
    return sender.server


def message(id: str, payload: bytes = b"[[], {}]") -> Message:
    return Message(id, "add", payload, "json", "celery")


def messages(prefix: str = "t") -> list[Message]:
    return [message(f"{prefix}{n:04}") for n in range(MANY)]


def succeeded(delivery: Delivery) -> Settlement:
    id = delivery.message.id.encode()
    return Settlement(delivery.receipt, Phase.SUCCEEDED, 1.0, id, "json", tied=delivery.tied)


def chord() -> Graph:
    """Return a chord of chains of two: the second step of each is the member of the group."""
    firsts, members = messages("first"), messages("member")
    places = [Place(followed=True) for _ in firsts]
    places += [
        Place(waits=first.id, takes=True, group="g", position=n) for n, first in enumerate(firsts)
    ]
    body = Place(waits="g", barrier=True, takes=True)
    return Graph((*firsts, *members, message("body")), (*places, body), (Group("g"),))


def work(broker: RedisBroker, worker: int) -> list[Delivery]:
    """Run all that is ready; return it."""
    ran: list[Delivery] = []
    while claimed := broker.claim(Claim(worker, QUEUES, 500)):
        broker.settle(list(map(succeeded, claimed)))
        ran += claimed
    return ran


def bulks(broker: RedisBroker) -> list[bytes]:
    found: list[bytes] = broker.server.execute("KEYS", "*bulk*")
    return found


def lasting_bulks(broker: RedisBroker) -> list[bytes]:
    """Return the keys that do not expire by themselves."""
    return [key for key in bulks(broker) if broker.server.execute("TTL", key) == -1]


def take_over(broker: RedisBroker, clock: ManualClock) -> None:
    """Do what a worker does now and then, until nothing is left to do."""
    while (again := broker.promote()) is not None:
        clock.advance(max(0.0, again - clock()))


@pytest.mark.parametrize("step", [("stage", 1), ("stage", 3), ("send_bulk", 1)])
def test_of_a_sender_that_is_killed_before_the_last_step_nothing_stays(
    sender: RedisBroker,
    watch: WatchedServer,
    broker: RedisBroker,
    clock: ManualClock,
    step: tuple[str, int],
) -> None:
    watch.before = kill_at(*step)
    with pytest.raises(KilledError):
        sender.enqueue(messages())
    take_over(broker, clock)

    assert broker.counts() == []
    assert broker.fetch(["t0000"]) == [None]
    assert all(0 < broker.server.execute("TTL", key) <= 60 for key in bulks(broker))


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_what_a_killed_sender_has_sent_is_stored_by_a_worker(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker, clock: ManualClock, nth: int
) -> None:
    watch.before = kill_at("store_part", nth)
    with pytest.raises(KilledError):
        sender.enqueue(messages())
    take_over(broker, clock)

    ran = work(broker, broker.register("worker", "{}"))
    assert [each.message.id for each in ran] == [each.id for each in messages()]
    assert bulks(broker) == []


def test_workers_leave_a_bulk_alone_while_its_sender_stores_it(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker, clock: ManualClock
) -> None:
    looks = []
    watch.before = lambda verb: looks.append(broker.promote()) if verb == "store_part" else None
    sender.enqueue(messages())

    assert looks[:3] == [clock() + 1] * 3
    assert broker.promote() is None


def test_workers_are_woken_when_a_bulk_was_sent(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker
) -> None:
    listener = broker.work_listener(1)
    listener.wait(1.0)
    watch.before = kill_at("store_part")
    with pytest.raises(KilledError):
        sender.enqueue(messages())

    assert listener.wait(10.0)
    listener.close()


def test_a_workflow_may_run_while_it_is_stored(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker
) -> None:
    worker = broker.register("worker", "{}")
    ran: list[Delivery] = []

    def run_it(verb: str) -> None:
        if verb == "store_part":
            ran.extend(work(broker, worker))

    watch.after = run_it
    sender.enqueue_graph(chord())

    assert len({each.message.id for each in ran}) == len(ran) == 2 * MANY + 1
    body = ran[-1]
    assert body.message.id == "body"
    assert [each.result.decode() for each in body.inputs] == [
        each.id for each in messages("member")
    ]


def test_a_group_whose_members_all_end_before_it_is_stored_ends_all_the_same(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker
) -> None:
    worker = broker.register("worker", "{}")
    members = messages()
    places = [Place(group="inner", position=n) for n in range(MANY)]
    graph = Graph(
        (*members, message("body")),
        (*places, Place(waits="outer", barrier=True, takes=True)),
        (Group("inner", outer="outer"), Group("outer")),
    )
    last: list[Delivery] = []
    watch.after = lambda verb: last.extend(work(broker, worker)) if verb == "store_part" else None
    sender.enqueue_graph(graph)

    body = last[-1]
    assert (body.message.id, body.woken_by) == ("body", members[-1].id)
    assert len(body.inputs[0]) == MANY


def test_a_workflow_of_a_killed_sender_is_known(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker, clock: ManualClock
) -> None:
    watch.before = kill_at("store_part")
    with pytest.raises(KilledError):
        sender.enqueue_graph(chord())
    broker.enqueue_graph(chord())
    take_over(broker, clock)

    assert len(work(broker, broker.register("worker", "{}"))) == 2 * MANY + 1
    assert bulks(broker) == []


def test_a_bulk_of_which_the_server_has_lost_a_part_is_not_stored(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker
) -> None:
    def lose(verb: str) -> None:
        if verb == "send_bulk":
            (key,) = bulks(broker)
            broker.server.execute("HDEL", key, 2)

    watch.before = lose
    with pytest.raises(BrokerUnavailable, match="send them again"):
        sender.enqueue(messages())
    assert (broker.counts(), bulks(broker)) == ([], [])

    watch.before = lambda verb: None
    sender.enqueue(messages())
    assert [count.tasks for count in broker.counts()] == [MANY]


def test_a_bulk_whose_last_reply_is_lost_is_sent_once(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker
) -> None:
    def send_again(verb: str) -> None:
        if verb == "send_bulk":
            watch.after = lambda verb: None
            (key,) = (key for key in bulks(broker) if not key.endswith(b":bulks"))
            id = key.rpartition(b":")[2]
            assert broker.server.run("send_bulk", 1.0, id, 3, MANY, "") == 1

    watch.after = send_again
    sender.enqueue(messages())

    assert [count.tasks for count in broker.counts()] == [MANY]
    assert bulks(broker) == []


def test_a_part_that_cannot_be_read_costs_no_other(
    sender: RedisBroker,
    watch: WatchedServer,
    broker: RedisBroker,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever can write to the server can write anything."""
    watch.before = kill_at("store_part")
    with pytest.raises(KilledError):
        sender.enqueue(messages())
    (key,) = (key for key in bulks(broker) if not key.endswith(b":bulks"))
    broker.server.execute("HSET", key, 2, b"\xc1")
    take_over(broker, clock)

    assert lasting_bulks(broker) == []
    assert len([each for each in caplog.messages if "not all could be stored" in each]) == 1
    assert [count.tasks for count in broker.counts()] == [MANY - 500]


def test_large_messages_are_stored_in_steps(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker
) -> None:
    verbs: list[str] = []
    watch.before = verbs.append
    sender.enqueue([message(f"large{n}", b"x" * 700_000) for n in range(3)])

    assert verbs.count("stage") == 3
    assert [len(each.message.payload) for each in broker.listing([Phase.READY], 9)] == [700_000] * 3


@pytest.mark.parametrize("field", ["seq", "next", "parts", "touched", "first", "failed", "2"])
@pytest.mark.parametrize("value", [b"", b"text", b"-1", b"9e99", b"\xff", None])
def test_a_bulk_that_cannot_be_used_costs_no_other(
    sender: RedisBroker,
    watch: WatchedServer,
    broker: RedisBroker,
    clock: ManualClock,
    field: str,
    value: bytes | None,
) -> None:
    watch.before = kill_at("store_part")
    with pytest.raises(KilledError):
        sender.enqueue(messages())
    (key,) = (key for key in bulks(broker) if not key.endswith(b":bulks"))
    if value is None:
        broker.server.execute("HDEL", key, field)
    else:
        broker.server.execute("HSET", key, field, value)
    watch.before = kill_at("store_part")
    with pytest.raises(KilledError):
        sender.enqueue_graph(chord())
    take_over(broker, clock)

    assert lasting_bulks(broker) == []
    assert broker.fetch(["body"]) != [None]


def test_what_is_no_bulk_costs_no_other(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker, clock: ManualClock
) -> None:
    broker.server.execute("RPUSH", "{liteq}:bulks", "gone", "text")
    broker.server.execute("SET", "{liteq}:bulk:text", "text")
    sender.enqueue_graph(chord())
    take_over(broker, clock)

    assert bulks(broker) == []
    assert broker.fetch(["body"]) != [None]


def test_a_task_that_cannot_be_stored_costs_no_other(sender: RedisBroker) -> None:
    sender.server.execute("SET", "{liteq}:waiters:first0007", "text")
    with pytest.raises(BrokerError, match=f"not all of {2 * MANY + 1} tasks"):
        sender.enqueue_graph(chord())

    assert sum(count.tasks for count in sender.counts()) == 2 * MANY
    assert lasting_bulks(sender) == []


def test_a_sender_is_told_of_a_task_that_a_worker_could_not_store(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker, clock: ManualClock
) -> None:
    """The sender is so slow that a worker takes its bulk over."""
    sender.server.execute("SET", "{liteq}:waiters:first0007", "text")
    watch.before = lambda verb: take_over(broker, clock) if verb == "store_part" else None
    with pytest.raises(BrokerError, match="not all of"):
        sender.enqueue_graph(chord())


# What a task takes from a large group


def test_what_a_task_takes_from_a_large_group_is_read_in_steps(
    sender: RedisBroker, watch: WatchedServer
) -> None:
    worker = sender.register("worker", "{}")
    sender.enqueue_graph(chord())
    verbs: list[str] = []
    watch.before = verbs.append
    ran = work(sender, worker)

    assert verbs.count("inputs") > MANY / 500
    assert [each.result for each in ran[-1].inputs] == [
        each.id.encode() for each in messages("member")
    ]


def until_the_body(broker: RedisBroker, worker: int) -> Settlement:
    """Run a chord up to its body; return the settlement after which that can be claimed."""
    broker.enqueue_graph(chord())
    firsts = broker.claim(Claim(worker, QUEUES, MANY))
    broker.settle(list(map(succeeded, firsts)))
    (*others, last) = broker.claim(Claim(worker, QUEUES, MANY))
    broker.settle(list(map(succeeded, others)))
    return succeeded(last)


@pytest.mark.parametrize("key", ["task:member0007", "task:member1100"])
def test_a_member_of_a_large_group_that_cannot_be_read_costs_the_task_that_takes_it(
    sender: RedisBroker, key: str
) -> None:
    worker = sender.register("worker", "{}")
    last = until_the_body(sender, worker)
    sender.server.execute("DEL", f"{{liteq}}:{key}")
    sender.server.execute("SET", f"{{liteq}}:{key}", "text")
    sender.enqueue([message("other")])
    claimed = sender.settle([last], Claim(worker, QUEUES, 1)).claimed

    assert [each.message.id for each in claimed] == ["other"]
    (body,) = sender.fetch(["body"])
    assert body is not None
    assert body.phase is Phase.DEAD
    assert "cannot be read" in (body.traceback or "")


def test_what_was_claimed_is_handed_out_again_if_its_inputs_could_not_be_read(
    sender: RedisBroker, watch: WatchedServer
) -> None:
    worker = sender.register("worker", "{}")
    last = until_the_body(sender, worker)
    watch.before = kill_at("inputs", 2)
    with pytest.raises(KilledError):
        sender.settle([last], Claim(worker, QUEUES, 9))
    settled = sender.settle([last], Claim(worker, QUEUES, 9))

    assert settled.refused == []
    assert [each.message.id for each in settled.claimed] == ["body"]
    assert len(settled.claimed[0].inputs) == MANY


@pytest.mark.parametrize("change", ["swap", "foreign", "unsigned"])
def test_the_inputs_from_a_large_group_are_verified(redis_store: str, change: str) -> None:
    broker = connect(redis_store, secret_key="k" * 32)
    assert isinstance(broker, RedisBroker)
    worker = broker.register("worker", "{}")
    last = until_the_body(broker, worker)
    execute = broker.server.execute
    match change:
        case "swap":
            execute("ZADD", "{liteq}:members:g", 8, "member0007", 7, "member0008")
        case "foreign":
            execute("ZREM", "{liteq}:members:g", "member1100")
            execute("ZADD", "{liteq}:members:g", 1100, "first1100")
        case _:
            execute("HSET", "{liteq}:task:member1100", "result", "1")
    claimed = broker.settle([last], Claim(worker, QUEUES, 9)).claimed

    assert claimed == []
    (body,) = broker.fetch(["body"])
    assert body is not None
    assert body.phase is Phase.DEAD
    broker.close()


# Moves


def batch_of_many(broker: RedisBroker) -> TransferBatch:
    """Send a workflow, and take it out again, to be moved to another store."""
    broker.enqueue_graph(chord())
    batch = next(each for each in broker.pack(99_999) if each.transfers)
    broker.discard(batch.arrivals)
    return batch


@pytest.mark.parametrize("step", [("stage", 2), ("send_bulk", 1)])
def test_nothing_arrives_by_a_move_that_is_killed_before_the_last_step(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker, step: tuple[str, int]
) -> None:
    batch = batch_of_many(sender)
    watch.before = kill_at(*step)
    with pytest.raises(KilledError):
        sender.unpack(batch)

    assert broker.arrived() == []
    assert broker.counts() == []


@pytest.mark.parametrize("nth", [1, 3, 6])
def test_all_arrives_by_a_move_that_is_killed_after_the_last_step(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker, nth: int
) -> None:
    batch = batch_of_many(sender)
    watch.before = kill_at("store_part", nth)
    with pytest.raises(KilledError):
        sender.unpack(batch)

    assert sorted(broker.arrived(), key=str) == sorted(batch.arrivals, key=str)
    assert sum(count.tasks for count in broker.counts()) == len(batch.transfers)
    broker.confirm(batch.arrivals)
    assert broker.arrived() == []
    broker.discard(batch.arrivals)
    assert broker.counts() == []
    assert broker.server.execute("KEYS", "*group*") == []


def test_nothing_has_arrived_of_what_could_not_all_be_stored(sender: RedisBroker) -> None:
    batch = batch_of_many(sender)
    sender.server.execute("SET", "{liteq}:waiters:first0007", "text")
    with pytest.raises(BrokerError, match="not all of"):
        sender.unpack(batch)
    assert sender.arrived() == []

    sender.server.execute("DEL", "{liteq}:waiters:first0007")
    sender.unpack(batch)
    assert len(sender.arrived()) == len(batch.arrivals)
