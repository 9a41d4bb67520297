"""Bulks on Redis: stored in steps, and seen by others as one."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker
from liteq.brokers.redis.server import Argument, Server
from liteq.exceptions import BrokerUnavailable
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
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker, clock: ManualClock
) -> None:
    """Whoever can write to the server can write anything."""
    watch.before = kill_at("store_part")
    with pytest.raises(KilledError):
        sender.enqueue(messages())
    (key,) = (key for key in bulks(broker) if not key.endswith(b":bulks"))
    broker.server.execute("HSET", key, 2, b"\xc1")
    errors = 0
    while bulks(broker):
        try:
            take_over(broker, clock)
        except Exception:
            errors += 1

    assert errors == 1
    assert [count.tasks for count in broker.counts()] == [MANY - 500]


def test_large_messages_are_stored_in_steps(
    sender: RedisBroker, watch: WatchedServer, broker: RedisBroker
) -> None:
    verbs: list[str] = []
    watch.before = verbs.append
    sender.enqueue([message(f"large{n}", b"x" * 700_000) for n in range(3)])

    assert verbs.count("stage") == 3
    assert [len(each.message.payload) for each in broker.listing([Phase.READY], 9)] == [700_000] * 3
