"""Signatures on Redis: whoever can write to the server, but has no key, makes nothing run.

The attacker here may write every key of the server, and copy to any place what was signed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq import LiteQ
from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker
from liteq.exceptions import ImproperlyConfigured, SecurityError
from liteq.model.entry import Entry, Firing
from liteq.model.graph import Graph, Group, Place
from liteq.model.message import Delivery, Message, Record
from liteq.model.outcome import Kind, Outcome, Policy
from liteq.states import Phase
from liteq.testing.contract.harness import rescuing
from liteq.worker.decide import decide
from tests import redis_workers
from tests.servers import RedisServer, running_server

KEY = "k" * 32
OTHER_KEY = "o" * 32


def message(id: str = "", **fields: object) -> Message:
    usual = {"task": "add", "payload": b"[[1, 2], {}]", "serializer": "json", "queue": "celery"}
    return Message(id, **{**usual, **fields})  # type: ignore[arg-type]


class Store:
    """A store with signatures, a worker of it, and what an attacker can do there."""

    def __init__(self, url: str, key: str = KEY) -> None:
        broker = connect(url, secret_key=key)
        assert isinstance(broker, RedisBroker)
        self.broker = broker
        self.worker = broker.register("worker", "{}")

    # the application

    def chain(self, *ids: str) -> None:
        """Send tasks of which each takes the result of the one before it."""
        places = [
            Place(waits=before, takes=before is not None, followed=id != ids[-1])
            for before, id in zip((None, *ids), ids, strict=False)
        ]
        self.broker.enqueue_graph(Graph(tuple(map(message, ids)), tuple(places)))

    def chord(self, group: str, *members: str, body: str = "body") -> None:
        """Send tasks, and a body that takes their results."""
        places = [Place(group=group, position=n) for n in range(len(members))]
        places.append(Place(waits=group, barrier=True, takes=True))
        messages = tuple(map(message, (*members, body)))
        self.broker.enqueue_graph(Graph(messages, tuple(places), (Group(group),)))

    def claim(self) -> list[Delivery]:
        return self.broker.claim(Claim(self.worker, ("celery",), 9))

    def settle(self, *deliveries: Delivery, kind: Kind = Kind.SUCCEEDED, **more: object) -> None:
        """Settle as a worker does; the value of a task is its id."""
        for each in deliveries:
            given = {"result": f'"{each.message.id}"'.encode(), "serializer": "json", **more}
            outcome = Outcome(kind, **given)  # type: ignore[arg-type]
            settlement = decide(each, outcome, Policy(), self.broker.clock())
            assert self.broker.settle([settlement]).refused == []

    def run(self, *ids: str, kind: Kind = Kind.SUCCEEDED, **more: object) -> None:
        """Send tasks, and settle them."""
        self.broker.enqueue(list(map(message, ids)))
        self.settle(*self.claim(), kind=kind, **more)

    def record(self, id: str) -> Record:
        record = self.broker.fetch([id])[0]
        assert record is not None
        return record

    # the attacker

    def peek(self, id: str, field: str) -> bytes:
        value: bytes = self.command("HGET", f"{self.broker.location.prefix}:task:{id}", field)
        return value

    def plant(self, id: str, **fields: bytes | str | int) -> None:
        for field, value in fields.items():
            self.command("HSET", f"{self.broker.location.prefix}:task:{id}", field, value)

    def remove(self, id: str, *fields: str) -> None:
        self.command("HDEL", f"{self.broker.location.prefix}:task:{id}", *fields)

    def command(self, *words: str | bytes | int) -> bytes:
        return self.broker.server.execute(*words)  # type: ignore[no-any-return]

    # what must be

    def refuses(self, id: str, why: str = "") -> bool:
        """Return whether the task `id`, which is ready, is set aside undecoded when claimed."""
        claimed = [each.message.id for each in self.claim()]
        dead = self.peek(id, "phase") == b"%d" % Phase.DEAD
        return id not in claimed and dead and why in self.peek(id, "traceback").decode()


@pytest.fixture
def store(redis_store: str) -> Iterator[Store]:
    store = Store(redis_store)
    yield store
    store.broker.close()


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """Another store on the same server, with the same key."""
    other = Store(store.broker.address + "?name=other")
    yield other
    other.broker.close()


# messages


def test_pickle_is_refused_without_a_key_and_the_error_names_the_setting(redis_store: str) -> None:
    app = LiteQ("project", broker=redis_store, task_serializer="pickle")

    with pytest.raises(ImproperlyConfigured, match="set secret_key"):
        app.send_task("add", (1, 2))
    with pytest.raises(ImproperlyConfigured, match="set secret_key"):
        _ = app.backend


def test_signed_messages_and_results_are_read_back_unchanged(store: Store) -> None:
    sent = message("a")
    store.broker.enqueue([sent])
    assert b"LQ2" in store.peek("a", "message")

    (delivery,) = store.claim()
    assert delivery.message == sent
    store.settle(delivery)
    assert (store.record("a").message, store.record("a").result) == (sent, b'"a"')


def test_a_revived_task_is_still_signed(store: Store) -> None:
    store.run("a", kind=Kind.FAILED)
    store.broker.revive(["a"])

    assert len(store.claim()) == 1


def test_a_message_that_was_not_signed_is_dead_and_not_decoded(
    redis_store: str, store: Store
) -> None:
    plain = connect(redis_store)
    plain.enqueue([message("evil")])
    plain.close()
    store.broker.enqueue([message("good")])

    assert [each.message.id for each in store.claim()] == ["good"]
    assert store.peek("evil", "phase") == b"%d" % Phase.DEAD
    assert b"it is not signed" in store.peek("evil", "traceback")


@pytest.mark.parametrize(("field", "value"), [("lost", "x"), ("reported", b"\xff")])
def test_a_message_with_two_things_wrong_costs_no_other(
    redis_store: str, store: Store, field: str, value: str | bytes
) -> None:
    """It is not signed, and cannot be read either."""
    plain = connect(redis_store)
    plain.enqueue([message("evil")])
    plain.close()
    store.plant("evil", **{field: value})
    store.broker.enqueue([message("good")])

    assert [each.message.id for each in store.claim()] == ["good"]
    assert store.peek("evil", "phase") == b"%d" % Phase.DEAD
    assert b"cannot be read" in store.peek("evil", "traceback")


def test_the_message_of_another_task_is_refused(store: Store) -> None:
    store.broker.enqueue([message("a"), message("b")])
    store.plant("b", message=store.peek("a", "message"))

    assert [each.message.id for each in store.claim()] == ["a"]


@pytest.mark.parametrize(
    ("sent", "planted"),
    [
        (b'"add"', b'"sub"'),
        (b'"celery"', b'"queue"'),
        (b'"json"', b'"yaml"'),
        (b"false", b"true"),  # acks_late=False: it would run again
        (b"immutable", b"immunable"),
    ],
)
def test_what_a_message_says_of_the_call_cannot_be_changed(
    store: Store, sent: bytes, planted: bytes
) -> None:
    once = message("a", acks_late=False, options='{"immutable": true}')
    store.broker.enqueue([once])
    stored = store.peek("a", "message")
    head, line, payload = stored.partition(b"\n")
    assert sent in head
    store.plant("a", message=head.replace(sent, planted, 1) + line + payload)

    assert store.refuses("a", "does not fit")


@pytest.mark.parametrize("url", ["?name=other", "1"])
def test_a_message_of_another_store_is_refused(
    store: Store, shared_redis: RedisServer, url: str
) -> None:
    """The stores are on one server, and have the same key."""
    address = store.broker.address
    theirs = Store(address + url if url.startswith("?") else address.removesuffix("0") + url)
    theirs.broker.enqueue([message("a")])
    store.broker.enqueue([message("a")])
    store.plant("a", message=theirs.peek("a", "message"))
    theirs.broker.close()

    assert store.refuses("a", "belongs elsewhere")


def test_a_store_is_the_same_by_every_url(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_server(folder, "--unixsocket", str(folder / "socket")) as server:
        first = Store(server.url)
        first.broker.enqueue([message("a"), message("b"), message("c")])
        for url in (server.url.replace("127.0.0.1", "localhost"), f"unix://{folder}/socket"):
            again = Store(url + "?timeout=9")
            (delivery,) = again.broker.claim(Claim(again.worker, ("celery",), 1))
            again.settle(delivery)
            assert first.record(delivery.message.id).phase is Phase.SUCCEEDED
            again.broker.close()
        first.broker.close()


# results


def test_a_forged_result_is_not_decoded(store: Store) -> None:
    app = LiteQ("project", broker=store.broker, accept_content=["json", "pickle"])
    store.run("a", "b")
    for forged in (b"cos\nsystem\n(S'true'\ntR.", store.peek("b", "result")):
        store.plant("a", result=forged)

        with pytest.raises(SecurityError, match="failed the check of its signature"):
            app.AsyncResult("a").get(timeout=5)


def is_refused(record: Record) -> bool:
    return record.phase is Phase.FAILED and "check of its signature" in str(record.traceback)


def test_the_result_of_another_store_is_refused(store: Store, other: Store) -> None:
    store.run("a")
    other.run("a")
    assert not is_refused(store.record("a"))
    store.plant("a", result=other.peek("a", "result"))

    assert is_refused(store.record("a"))


@pytest.mark.parametrize("reported", ["", "PROGRESS"])
def test_a_progress_report_is_not_taken_for_a_result(store: Store, reported: str) -> None:
    store.broker.enqueue([message("a")])
    deliveries = store.claim()
    store.broker.report("a", "PROGRESS", b'"not yet"', "json")
    report = store.peek("a", "result")
    assert store.record("a").result == b'"not yet"'
    store.settle(*deliveries, kind=Kind.FAILED)
    store.plant("a", result=report, phase=int(Phase.SUCCEEDED))
    if reported:
        store.plant("a", reported=reported)

    assert is_refused(store.record("a"))


def test_a_report_is_not_taken_for_one_of_another_state(store: Store) -> None:
    store.broker.enqueue([message("a")])
    store.broker.report("a", "REFUSED", b'"paid"', "json")
    store.plant("a", reported="PAID")

    assert store.record("a").result is None


def test_an_error_is_not_taken_for_a_value_nor_a_value_for_an_error(store: Store) -> None:
    store.run("good")
    store.run("bad", kind=Kind.FAILED)
    store.plant("good", phase=int(Phase.FAILED))
    store.plant("bad", phase=int(Phase.SUCCEEDED))

    assert is_refused(store.record("good"))
    assert is_refused(store.record("bad"))


def test_the_state_of_a_revoked_task_is_still_read(store: Store) -> None:
    store.broker.enqueue([message("a"), message("b")])
    store.broker.report("a", "HELD", b'"why"', "json")
    _, b = store.claim()
    store.settle(b, kind=Kind.RETRY, eta=store.broker.clock() + 60)
    store.broker.release([each.receipt for each in store.claim()])
    store.broker.cancel(["a", "b"], keep=None)

    assert store.record("b").phase is Phase.CANCELLED
    assert "signature" not in str(store.record("b").traceback)


# what a task takes from others


@pytest.fixture
def chain(store: Store) -> Store:
    """The task `second` is ready, and takes the result of `first`; `other` has run as well."""
    store.run("other")
    store.chain("first", "second")
    store.settle(*store.claim())
    return store


def test_a_task_takes_what_the_task_before_it_returned(chain: Store) -> None:
    (second,) = chain.claim()
    assert second.inputs.result == b'"first"'
    chain.settle(second, kind=Kind.RETRY)

    (again,) = chain.claim()
    assert again.inputs.result == b'"first"'


def test_the_result_of_another_task_is_not_taken(chain: Store) -> None:
    chain.plant("first", result=chain.peek("other", "result"))

    assert chain.refuses("second", "of the result of first, which it takes")


def test_a_task_takes_from_no_other_task_than_it_was_sent_to(chain: Store) -> None:
    chain.plant("second", waits="other", woken_by="other")

    assert chain.refuses("second")


@pytest.mark.parametrize("fields", [("takes",), ("waits", "takes", "woken_by"), ("woken_by",)])
def test_a_task_does_not_run_without_what_it_takes(chain: Store, fields: tuple[str, ...]) -> None:
    chain.remove("second", *fields)

    assert chain.refuses("second")


def test_a_result_that_was_removed_is_not_taken_for_none(chain: Store) -> None:
    chain.remove("first", "result", "serializer")

    assert chain.refuses("second", "the result of first is missing")


def test_a_task_that_stores_no_result_hands_on_none(store: Store) -> None:
    store.chain("first", "second")
    store.settle(*store.claim(), result=None, serializer=None)

    (second,) = store.claim()
    assert second.inputs.result is None
    assert store.record("first").result is None


def test_a_report_is_not_taken_for_the_result_of_the_task_before(store: Store) -> None:
    store.chain("first", "second")
    first = store.claim()
    store.broker.report("first", "PROGRESS", b'"not yet"', "json")
    report = store.peek("first", "result")
    store.settle(*first)
    store.plant("first", result=report)

    assert store.refuses("second")


def test_an_error_is_not_taken_for_the_result_of_the_task_before(store: Store) -> None:
    store.chain("first", "second")
    (first,) = store.claim()
    store.settle(first, kind=Kind.RETRY, result=b'"an error"')
    error = store.peek("first", "result")
    store.settle(*store.claim())
    store.plant("first", result=error)

    assert store.refuses("second")


def test_an_errback_takes_the_error_of_the_task_that_it_was_sent_with(store: Store) -> None:
    places = (Place(followed=True), Place(waits="a", on_failure=1, takes=True))
    for prefix in ("", "other-"):
        ids = (f"{prefix}a", f"{prefix}errback")
        after = places[1]._replace(waits=ids[0])
        graph = Graph((message(ids[0]), message(ids[1])), (places[0], after))
        store.broker.enqueue_graph(graph)
    a, others = store.claim()
    store.settle(a, kind=Kind.FAILED)
    (errback,) = store.claim()
    assert (errback.inputs.result, errback.inputs.message[0]) == (b'"a"', "a")
    store.settle(others, kind=Kind.FAILED)
    store.plant("other-errback", waits="a", woken_by="a")

    assert store.refuses("other-errback")


@pytest.fixture
def chord(store: Store) -> Store:
    """The task `body` is ready, and takes the results of `x` and `y`; `other` has run as well."""
    store.chord("g", "x", "y")
    store.settle(*store.claim())
    (body,) = store.claim()
    assert [each.result for each in body.inputs] == [b'"x"', b'"y"']
    store.broker.release([body.receipt])
    return store


def test_the_result_of_another_task_is_not_taken_for_that_of_a_member(chord: Store) -> None:
    chord.plant("x", result=chord.peek("y", "result"))

    assert chord.refuses("body")


@pytest.mark.parametrize("group", [None, "h"])
def test_a_task_that_is_no_member_of_a_group_cannot_be_made_one(
    store: Store, group: str | None
) -> None:
    store.run("alone")
    store.chord("h", "alien", body="another")
    store.chord("g", "x", "y")
    store.settle(*store.claim())
    store.command("ZADD", "{liteq}:members:g", 0, "alien" if group else "alone")

    assert store.refuses("body", "no such place in the group")


def test_members_cannot_change_places(chord: Store) -> None:
    chord.command("ZADD", "{liteq}:members:g", 1, "x", 0, "y")

    assert chord.refuses("body", "place in the group")


def test_a_body_waits_for_no_other_group_than_it_was_sent_with(chord: Store) -> None:
    chord.plant("body", waits="h")

    assert chord.refuses("body")


# periodic tasks


@pytest.fixture
def entry(store: Store) -> Entry:
    entry = Entry("nightly", '{"every": 86400}', message(), store.broker.clock() + 60)
    assert store.broker.schedule([entry]) == []
    return store.broker.schedules()[0]


def copy(store: Store, source: str, target: str) -> None:
    fields = store.command("HGETALL", source)
    store.command("HSET", target, *fields)


def test_a_schedule_that_fired_is_still_genuine(store: Store, entry: Entry) -> None:
    fired = entry._replace(runs=1, last=entry.moment, moment=store.broker.clock() + 99)
    store.broker.fire([Firing(fired, entry.message._replace(id="run"))])

    (read,) = store.broker.schedules()
    assert read.runs == 1
    assert [each.message.id for each in store.claim()] == ["run"]


def test_a_schedule_cannot_be_copied_under_another_name(store: Store, entry: Entry) -> None:
    copy(store, "{liteq}:schedule:nightly", "{liteq}:schedule:again")
    store.command("ZADD", "{liteq}:schedules", 0, "again")

    assert [each.name for each in store.broker.schedules()] == ["nightly"]


def test_a_schedule_cannot_be_copied_to_another_store(
    store: Store, other: Store, entry: Entry
) -> None:
    copy(store, "{liteq}:schedule:nightly", "{liteq:other}:schedule:nightly")
    other.command("ZADD", "{liteq:other}:schedules", 0, "nightly")

    assert other.broker.schedules() == []


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("entry", b"86400", b"1"),
        ("entry", b'"once"', b'"all"'),
        ("entry", b"0.0", b"9.0"),  # jitter
        ("entry", b"false", b"true"),  # paused
        ("overlap", b"1", b"0"),
        ("message", b'"add"', b'"sub"'),
    ],
)
def test_when_and_what_a_schedule_fires_cannot_be_changed(
    store: Store, entry: Entry, field: str, old: bytes, new: bytes
) -> None:
    stored = store.command("HGET", "{liteq}:schedule:nightly", field)
    assert old in stored
    store.command("HSET", "{liteq}:schedule:nightly", field, stored.replace(old, new, 1))

    assert store.broker.schedules() == []


def test_the_message_of_a_schedule_is_no_task_and_a_task_is_no_schedule(
    store: Store, entry: Entry
) -> None:
    store.broker.enqueue([message("a"), message("nightly")])
    periodic = store.command("HGET", "{liteq}:schedule:nightly", "message")
    store.command("HSET", "{liteq}:schedule:nightly", "message", store.peek("a", "message"))
    store.plant("nightly", message=periodic)

    assert store.broker.schedules() == []
    assert store.refuses("nightly")


# rescue


def test_a_rescuer_with_another_key_rescues_what_it_cannot_read(
    store: Store, redis_store: str
) -> None:
    """Several applications may share a store, each with a key of its own."""
    rescuer = Store(redis_store, OTHER_KEY)
    store.run("other")
    store.chain("first", "second")
    store.settle(*store.claim())
    store.broker.enqueue([message("alone"), message("once", acks_late=False)])
    assert len(store.claim()) == 3
    redis_workers.kill(store.broker, store.worker)

    rescued = rescuer.broker.rescue(rescuing(rescuer.broker.clock))
    assert sorted(each.message.id for each in rescued) == ["alone", "once", "second"]
    once = store.record("once")
    assert once.phase is Phase.FAILED
    assert "its worker died" in str(once.traceback)
    store.worker = store.broker.register("again", "{}")
    again = {each.message.id: each for each in store.claim()}
    assert sorted(again) == ["alone", "second"]
    assert again["second"].inputs.result == b'"first"'
    assert (again["alone"].lost, again["alone"].message) == (1, message("alone"))
    rescuer.broker.close()
