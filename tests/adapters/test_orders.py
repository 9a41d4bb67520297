"""Orders and answers that other programs have written, written over, or forged."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ
from liteq.brokers import connect
from liteq.brokers.base import Broker
from liteq.brokers.sqlite import SqliteBroker
from liteq.model.order import Answer, Order
from liteq.support.clock import ManualClock
from tests.e2e.project import wait_for
from tests.servers import needs_redis

KEY = "k" * 32


def order(broker: Broker, worker: int, call: str = "call", **fields: Any) -> Order:
    now = broker.clock()
    return Order(call, worker, "ping", "{}", now, now + 10)._replace(**fields)


def error(broker: Broker, call: str) -> str:
    (answer,) = broker.answers(call)
    text: str = json.loads(answer.text)["error"]
    return text


class TestFile:
    """In a file."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "store.db"

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def broker(self, path: Path, clock: ManualClock) -> Iterator[Broker]:
        broker = connect(f"sqlite:///{path}?durability=fast", clock=clock)
        yield broker
        broker.close()

    def write(self, path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as db, db:
            return db.execute(sql, values).fetchall()

    @pytest.mark.parametrize("value", [b"\xff\0", 5, 1.5, "\ud800".encode(errors="surrogatepass")])
    @pytest.mark.parametrize("column", ["name", "arguments"])
    def test_an_order_that_cannot_be_read_is_answered_with_an_error(
        self, broker: Broker, path: Path, column: str, value: object
    ) -> None:
        worker = broker.register("worker", "{}")
        broker.order([order(broker, worker, "good"), order(broker, worker, "bad")])
        self.write(
            path, f"update liteq_order set {column} = cast(? as blob) where call = 'bad'", value
        )

        assert [each.call for each in broker.orders(worker)] == ["good"]
        assert "the order cannot be read: its " in error(broker, "bad")

    @pytest.mark.parametrize("column", ["sent", "expires"])
    def test_an_order_at_a_time_that_is_none_harms_nothing(
        self, broker: Broker, path: Path, column: str
    ) -> None:
        worker = broker.register("worker", "{}")
        broker.order([order(broker, worker, "good"), order(broker, worker, "bad")])
        self.write(path, f"update liteq_order set {column} = 'x' where call = 'bad'")

        assert [each.call for each in broker.orders(worker)] == ["good"]

    def test_an_answer_that_is_no_text_is_shown_as_an_error(
        self, broker: Broker, path: Path
    ) -> None:
        worker = broker.register("worker", "{}")
        broker.order([order(broker, worker)])
        broker.answer([Answer("call", worker, "1")])
        self.write(path, "update liteq_order set answer = x'ff'")

        assert "its answer is b'\\xff', not text" in error(broker, "call")

    def test_orders_that_have_expired_are_swept_with_their_answers(
        self, broker: Broker, path: Path, clock: ManualClock
    ) -> None:
        worker = broker.register("worker", "{}")
        broker.order([order(broker, worker), order(broker, worker, "later", expires=clock() + 99)])
        broker.answer([Answer("call", worker, "1")])
        clock.advance(71)
        broker.sweep(1)

        assert self.write(path, "select call from liteq_order") == [("later",)]

    def test_very_many_orders_are_read_in_parts(self, broker: Broker) -> None:
        worker = broker.register("worker", "{}")
        broker.order([order(broker, worker, f"{n:03}") for n in range(250)])

        seen = []
        while found := broker.orders(worker):
            seen += [each.call for each in found]
            broker.answer([Answer(each.call, worker, "1") for each in found])
        assert sorted(seen) == [f"{n:03}" for n in range(250)]

    def test_the_oldest_task_is_found_without_a_look_at_all(
        self, broker: Broker, path: Path
    ) -> None:
        assert isinstance(broker, SqliteBroker)
        broker.fetch(["x"])  # makes the tables
        self.write(
            path,
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000) "
            "insert into liteq_task (task, payload, priority, created) "
            "select 't', '[]', i % 3, i from n",
        )
        steps = 0

        def count() -> None:
            nonlocal steps
            steps += 1

        db = broker._sessions.current()._handle.db()
        db.set_progress_handler(count, 100)
        try:
            assert broker.oldest(["celery", "other"]) == 1
        finally:
            db.set_progress_handler(None, 0)
        assert steps < 20  # hundreds of steps of SQLite's machine, not tens of thousands

    def test_an_order_by_sql_is_obeyed(self, path: Path) -> None:
        with LiteQ("told", broker=f"sqlite:///{path}?durability=fast", set_as_current=False) as app:
            with app.Worker(pool="threads", concurrency=1, hostname="w1@h"):
                self.write(
                    path,
                    "insert into liteq_order (worker, name, arguments) "
                    """select id, 'pool_grow', '{"n": 2}' from liteq_worker where name = 'w1@h'""",
                )
                found = "select answer from liteq_order where answered is not null"
                ((answer,),) = wait_for(lambda: self.write(path, found))
            assert json.loads(answer) == {"ok": "pool will grow"}


@needs_redis
class TestRedis:
    """On Redis."""

    @pytest.fixture
    def broker(self, redis_store: str) -> Iterator[Broker]:
        broker = connect(redis_store)
        yield broker
        broker.close()

    def command(self, broker: Any, *words: Any) -> Any:
        return broker.server.execute(*words)

    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"\xff",
            b"no JSON",
            b"[]",
            b'["ping", "{}", 1, 2, 3]',
            b'["ping", {}, 1, 9e99]',
            b'["ping", "{}", "now", 9e99]',
            b"[" * 9000,
            b"x" * 200_000,
        ],
    )
    def test_an_order_that_cannot_be_read_is_answered_with_an_error(
        self, broker: Broker, value: bytes
    ) -> None:
        worker = broker.register("worker", "{}")
        broker.order([order(broker, worker, "good")])
        self.command(broker, "HSET", f"{{liteq}}:orders:{worker}", "bad", value)

        assert [each.call for each in broker.orders(worker)] == ["good"]
        assert "cannot be read" in error(broker, "bad")
        assert [each.call for each in broker.orders(worker)] == ["good"]

    def test_keys_of_another_type_harm_nothing(self, broker: Broker) -> None:
        worker = broker.register("worker", "{}")
        self.command(broker, "SET", f"{{liteq}}:orders:{worker}", "x")
        self.command(broker, "SET", "{liteq}:answers:call", "x")

        assert broker.orders(worker) == []
        assert broker.answers("call") == []
        broker.answer([Answer("call", worker, "1")])

    def test_all_that_is_stored_goes_by_itself(self, broker: Broker) -> None:
        worker = broker.register("worker", "{}")
        broker.order([order(broker, worker)])
        assert 0 < self.command(broker, "PTTL", f"{{liteq}}:orders:{worker}") <= 70_000
        broker.answer([Answer("call", worker, "1")])

        assert 0 < self.command(broker, "PTTL", "{liteq}:answers:call") <= 70_000
        assert self.command(broker, "EXISTS", f"{{liteq}}:orders:{worker}") == 0

    def test_what_has_expired_is_forgotten(self, broker: Broker) -> None:
        worker = broker.register("worker", "{}")
        now = broker.clock()
        broker.order([order(broker, worker, f"{n}", expires=now - 1) for n in range(150)])
        broker.order([order(broker, worker, "good")])

        found = [broker.orders(worker) for _ in range(3)]
        assert [each.call for each in found[-1]] == ["good"]
        assert broker.answers("1") == []


@needs_redis
class TestSigned:
    """On Redis, with signatures."""

    @pytest.fixture
    def broker(self, redis_store: str) -> Iterator[Broker]:
        broker = connect(redis_store, secret_key=KEY)
        yield broker
        broker.close()

    @pytest.fixture
    def attacker(self, redis_store: str) -> Iterator[Broker]:
        broker = connect(redis_store)
        yield broker
        broker.close()

    def stored(self, broker: Any, worker: int, call: str) -> bytes:
        found: bytes = broker.server.execute("HGET", f"{{liteq}}:orders:{worker}", call)
        return found

    def plant(self, broker: Any, worker: int, call: str, value: bytes) -> None:
        broker.server.execute("HSET", f"{{liteq}}:orders:{worker}", call, value)

    def test_an_order_without_the_key_is_refused(self, broker: Broker, attacker: Broker) -> None:
        worker = broker.register("worker", "{}")
        attacker.order([order(attacker, worker)])

        assert broker.orders(worker) == []
        assert "it is not signed" in error(broker, "call")

    def test_an_order_is_good_for_one_worker_and_one_call(
        self, broker: Broker, attacker: Broker
    ) -> None:
        worker, other = broker.register("worker", "{}"), broker.register("other", "{}")
        broker.order([order(broker, worker)])
        genuine = self.stored(attacker, worker, "call")
        self.plant(attacker, other, "call", genuine)
        self.plant(attacker, worker, "again", genuine)

        assert broker.orders(other) == []
        assert [each.call for each in broker.orders(worker)] == ["call"]
        assert "its signature does not fit" in error(broker, "again")

    def test_an_order_that_is_kept_for_later_has_expired(
        self, broker: Broker, attacker: Broker
    ) -> None:
        worker = broker.register("worker", "{}")
        broker.order([order(broker, worker, expires=broker.clock() - 1)])
        self.plant(attacker, worker, "call", self.stored(attacker, worker, "call"))

        assert broker.orders(worker) == []

    def test_an_order_that_was_changed_is_refused(self, broker: Broker, attacker: Broker) -> None:
        worker = broker.register("worker", "{}")
        broker.order([order(broker, worker)])
        genuine = self.stored(attacker, worker, "call")
        self.plant(attacker, worker, "call", genuine.replace(b"ping", b"stop"))

        assert broker.orders(worker) == []
        assert "its signature does not fit" in error(broker, "call")

    def test_an_answer_that_is_not_the_worker_s_is_shown_as_an_error(
        self, broker: Broker, attacker: Broker
    ) -> None:
        worker = broker.register("worker", "{}")
        broker.order([order(broker, worker)])
        attacker.answer([Answer("call", worker, '{"ok": "pong"}')])

        assert "it is not signed" in error(broker, "call")
