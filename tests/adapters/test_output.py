"""Output of tasks where other programs have written into the store, and how much of it there is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Broker, Claim
from liteq.brokers.redis import RedisBroker
from liteq.exceptions import InvalidTaskError
from liteq.model.message import Delivery, Message
from liteq.model.outcome import Settlement
from liteq.model.output import MOST_LINES, Output, encode_lines
from liteq.states import Phase


@pytest.fixture
def redis(redis_store: str) -> Iterator[RedisBroker]:
    broker = connect(redis_store)
    assert isinstance(broker, RedisBroker)
    yield broker
    broker.close()


def running(broker: Broker) -> Delivery:
    """Return a task that runs."""
    broker.enqueue([Message("a", "task", b"[[], {}]", "json", "celery")])
    worker = broker.register("worker", "{}")
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    return delivery


def print_line(broker: Broker, delivery: Delivery, number: int, keep_from: int = 1) -> bool:
    lines = encode_lines([(number, 1.0, None, f"line {number}")])
    output = Output(1, number, keep_from, lines, begins=number == 1)
    return not broker.settle(
        [Settlement(delivery.receipt, Phase.RUNNING, 1.0, output=output)]
    ).refused


def finish(broker: Broker, delivery: Delivery) -> None:
    ended = Settlement(delivery.receipt, Phase.SUCCEEDED, 1.0, b"1", "json")
    assert broker.settle([ended]).refused == []


def test_a_key_that_another_program_has_written_over_costs_the_output_only(
    redis: RedisBroker,
) -> None:
    delivery = running(redis)
    redis.server.execute("SET", f"{redis.location.prefix}:output:a", "mine")

    assert print_line(redis, delivery, 1)
    finish(redis, delivery)
    (record,) = redis.fetch(["a"])
    assert record is not None
    assert record.phase is Phase.SUCCEEDED
    assert redis.forget(["a"]) == 1
    assert redis.server.execute("EXISTS", f"{redis.location.prefix}:output:a") == 0


@pytest.mark.parametrize(
    "member",
    [
        b"\xff",
        b"text",
        b"1 1 1",
        b"1 1 x []",
        b"1 1 1 [1]",
        b"1 1 1 {}x",
        b'1 1 1 [["x",1.0,null,"text"]]',
        b'1 1 1 [[1,NaN,null,"text"]]',
        b'1 1 1 [[1,1.0,null,"\\ud800"]]',
        b"1 1 1 " + b"[" * 99999,
    ],
)
def test_on_redis_what_liteq_did_not_write_is_told(redis: RedisBroker, member: bytes) -> None:
    delivery = running(redis)
    print_line(redis, delivery, 1)
    redis.server.execute("ZADD", f"{redis.location.prefix}:output:a", 1, member)

    with pytest.raises(InvalidTaskError, match="output of the task a cannot be read"):
        redis.output("a")


@pytest.mark.parametrize(
    ("keep_from", "lines"),
    [("'x'", "'[[2, 1.0, null, \"x\"]]'"), ("1", "'x'"), ("1", "x'ff'"), ("1", "'[[1]]'")],
)
def test_in_a_file_what_liteq_did_not_write_is_told(
    tmp_path: Path, keep_from: str, lines: str
) -> None:
    broker = connect(f"sqlite:///{tmp_path}/a.db?durability=fast")
    delivery = running(broker)
    with closing(sqlite3.connect(tmp_path / "a.db")) as db, db:
        first = """(1, 1, 1, 1, '[[1, 1.0, null, "x"]]')"""
        db.execute(f"insert into liteq_output values {first}, (1, 1, 2, {keep_from}, {lines})")

    with pytest.raises(InvalidTaskError, match="output of the task a cannot be read"):
        broker.output("a")
    assert print_line(broker, delivery, 1)
    broker.close()


def test_on_redis_a_task_that_prints_for_ever_fills_no_memory(redis: RedisBroker) -> None:
    delivery = running(redis)
    for number in range(1, 3 * MOST_LINES):
        print_line(redis, delivery, number, keep_from=max(1, number - MOST_LINES + 1))

    key = f"{redis.location.prefix}:output:a"
    assert redis.server.execute("ZCARD", key) == MOST_LINES
    assert len(redis.output("a")) == MOST_LINES
    finish(redis, delivery)
    redis.forget(["a"])
    assert redis.server.execute("EXISTS", key) == 0
