"""Steps and events that other programs have written over, or forged."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Broker, Claim
from liteq.exceptions import BrokerError, InvalidTaskError, SecurityError
from liteq.model.message import Delivery, Message
from liteq.model.outcome import Settlement
from liteq.model.step import Event, Step
from liteq.states import Phase
from liteq.support.clock import ManualClock
from tests.servers import needs_redis

CHARGE = Step("charge", "step", 1.0, None, b"paid", "json")
KEY = "k" * 32


def run(broker: Broker, id: str, *steps: Step, waits: str | None = None) -> Delivery:
    """Send and claim a task, and store steps of it; return its delivery."""
    broker.enqueue([Message(id, "task", b"[[],{}]", "json", "celery")])
    worker = broker.register("worker", "{}")
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    keeping = Settlement(delivery.receipt, Phase.RUNNING, 1.0, steps=steps)
    assert broker.settle([keeping]).refused == []
    if waits is not None:
        wait = Step(waits, "wait", 1.0)
        waiting = Settlement(delivery.receipt, Phase.WAITING, 1.0, retry=delivery.message)
        broker.settle([waiting._replace(steps=(wait,), event=waits, keeps_report=True)])
    return delivery


class TestFile:
    """In a file."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "store.db"

    @pytest.fixture
    def broker(self, path: Path) -> Iterator[Broker]:
        broker = connect(f"sqlite:///{path}?durability=fast", clock=ManualClock(1.0))
        yield broker
        broker.close()

    def spoil(self, path: Path, sql: str, *values: object) -> None:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(sql, values)

    @pytest.mark.parametrize("column", ["kind", "at", "until", "value", "serializer"])
    def test_a_step_that_cannot_be_read_costs_its_task_only(
        self, broker: Broker, path: Path, column: str
    ) -> None:
        run(broker, "a", CHARGE)
        run(broker, "b", CHARGE)
        wrong = "text" if column == "value" else b"\xff"
        self.spoil(
            path,
            f"update liteq_step set {column} = ? where task = 1",
            wrong,
        )

        with pytest.raises(InvalidTaskError, match="the steps of the task a cannot be read"):
            broker.steps("a")
        assert broker.steps("b") == [CHARGE]

    @pytest.mark.parametrize("column", ["value", "serializer", "at", "id"])
    def test_an_event_that_cannot_be_read_costs_those_only_who_ask_for_it(
        self, broker: Broker, path: Path, column: str
    ) -> None:
        broker.emit(Event("key", b"value", "json", 1.0, None, "first"))
        run(broker, "a", CHARGE, waits="other")
        wrong = "text" if column == "value" else b"\xff"
        self.spoil(path, f"update liteq_event set {column} = ?", wrong)

        with pytest.raises(InvalidTaskError, match="the event 'key' cannot be read"):
            broker.event("key")
        assert not broker.emit(Event("key", b"value", "json", 1.0, None, "second"))
        assert broker.emit(Event("other", b"value", "json", 1.0, None, "first"))
        (record,) = broker.fetch(["a"])
        assert record is not None
        assert record.phase is Phase.READY

    def test_a_kind_of_a_newer_version_is_shown(self, broker: Broker) -> None:
        newer = CHARGE._replace(kind="signal")
        run(broker, "a", newer)

        assert broker.steps("a") == [newer]

    def test_a_row_of_a_wait_without_its_task_harms_nobody(
        self, broker: Broker, path: Path
    ) -> None:
        run(broker, "a", CHARGE, waits="key")
        self.spoil(path, "insert into liteq_event_wait (task, key) values (999, 'key')")

        assert broker.emit(Event("key", b"value", "json", 1.0, None, "first"))
        assert [step.value for step in broker.steps("a")] == [b"paid", b"value"]


@needs_redis
class TestRedis:
    """On a server."""

    @pytest.fixture
    def broker(self, redis_store: str) -> Iterator[Broker]:
        broker = connect(redis_store, clock=ManualClock(1.0))
        yield broker
        broker.close()

    @pytest.fixture
    def signed(self, redis_store: str) -> Iterator[Broker]:
        broker = connect(redis_store, clock=ManualClock(1.0), secret_key=KEY)
        yield broker
        broker.close()

    @pytest.fixture
    def client(self, redis_store: str) -> Iterator[Any]:
        import redis

        with redis.Redis.from_url(redis_store) as client:
            yield client

    @pytest.mark.parametrize(
        ("field", "value"),
        [("kind", b"\xff"), ("at", "soon"), ("until", "x"), ("serializer", b"\xff"), ("at", "nan")],
    )
    def test_a_step_that_cannot_be_read_costs_its_task_only(
        self, broker: Broker, client: Any, field: str, value: Any
    ) -> None:
        run(broker, "a", CHARGE)
        run(broker, "b", CHARGE)
        client.hset("{liteq}:steps:a", f"charge\n{field}", value)

        with pytest.raises(InvalidTaskError, match="the steps of the task a cannot be read"):
            broker.steps("a")
        assert broker.steps("b") == [CHARGE]

    def test_a_field_that_liteq_did_not_write_is_no_step(self, broker: Broker, client: Any) -> None:
        run(broker, "a", CHARGE)
        client.hset("{liteq}:steps:a", "something", 1)

        with pytest.raises(InvalidTaskError):
            broker.steps("a")

    def test_keys_that_are_something_else_cost_their_task_only(
        self, broker: Broker, client: Any
    ) -> None:
        a, b = run(broker, "a", CHARGE), run(broker, "b", CHARGE)
        client.delete("{liteq}:steps:a")
        client.set("{liteq}:steps:a", "x")
        batch = [Settlement(x.receipt, Phase.RUNNING, 1.0, steps=(CHARGE,)) for x in (a, b)]

        assert broker.settle(batch).refused == []
        with pytest.raises(BrokerError):
            broker.steps("a")
        records = broker.fetch(["a", "b"])
        assert [record and record.phase for record in records] == [Phase.DEAD, Phase.RUNNING]

    def test_an_event_that_cannot_be_read_costs_those_only_who_ask_for_it(
        self, broker: Broker, client: Any
    ) -> None:
        broker.emit(Event("key", b"value", "json", 1.0, None, "first"))
        client.hset("{liteq}:event:key", "at", "soon")
        run(broker, "a", CHARGE, waits="other")

        with pytest.raises(InvalidTaskError, match="the event 'key' cannot be read"):
            broker.event("key")
        assert broker.emit(Event("other", b"value", "json", 1.0, None, "first"))
        assert [step.value for step in broker.steps("a")] == [b"paid", b"value"]

    # signatures

    def test_signed_steps_and_events_are_read_back(self, signed: Broker, client: Any) -> None:
        run(signed, "a", CHARGE, waits="key")
        event = Event("key", b"value", "json", 1.0, None, "first")
        signed.emit(event)

        assert [step.value for step in signed.steps("a")] == [b"paid", b"value"]
        assert signed.event("key") == event
        assert client.hget("{liteq}:steps:a", "charge\nvalue") != b"paid"

    @pytest.mark.parametrize(
        ("field", "value"),
        [("value", b"free"), ("serializer", "pickle"), ("kind", "gather"), ("kind", "wait")],
    )
    def test_a_forged_step_is_refused(
        self, signed: Broker, client: Any, field: str, value: Any
    ) -> None:
        run(signed, "a", CHARGE)
        client.hset("{liteq}:steps:a", f"charge\n{field}", value)

        with pytest.raises(SecurityError):
            signed.steps("a")

    def test_a_step_that_was_never_done_cannot_be_made_up(
        self, signed: Broker, client: Any
    ) -> None:
        run(signed, "a", CHARGE)
        client.hdel("{liteq}:steps:a", "charge\nvalue", "charge\nserializer")

        with pytest.raises(SecurityError, match="'charge' has no value"):
            signed.steps("a")

    def test_the_step_of_another_task_is_refused(self, signed: Broker, client: Any) -> None:
        run(signed, "a", CHARGE)
        run(signed, "b", CHARGE._replace(value=b"other"))
        stolen = client.hget("{liteq}:steps:a", "charge\nvalue")
        client.hset("{liteq}:steps:b", "charge\nvalue", stolen)

        with pytest.raises(SecurityError):
            signed.steps("b")

    def test_a_forged_event_is_refused(self, signed: Broker, broker: Broker, client: Any) -> None:
        run(signed, "a", CHARGE, waits="key")
        broker.emit(Event("key", b"value", "json", 1.0, None, "first"))  # without the key

        with pytest.raises(SecurityError):
            signed.event("key")
        with pytest.raises(SecurityError):
            signed.steps("a")

    def test_the_event_of_another_key_is_refused(self, signed: Broker, client: Any) -> None:
        signed.emit(Event("one", b"value", "json", 1.0, None, "first"))
        signed.emit(Event("two", b"other", "json", 1.0, None, "first"))
        client.hset("{liteq}:event:two", "value", client.hget("{liteq}:event:one", "value"))

        with pytest.raises(SecurityError):
            signed.event("two")
