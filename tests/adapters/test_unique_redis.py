"""Unique keys on a Redis server: what is left of them, and what others write there."""

from typing import Any

import pytest

pytest.importorskip("redis")

from liteq import LiteQ, Unique, group
from liteq.exceptions import BrokerError
from liteq.states import Phase
from liteq.testing import drain
from tests.servers import RedisServer, needs_redis

pytestmark = needs_redis


@pytest.fixture
def app(redis_store: str) -> Any:
    with LiteQ("project", broker=redis_store) as app:
        yield app


@pytest.fixture
def sync(app: LiteQ) -> Any:
    @app.task(name="project.sync", unique=Unique("{account}"))
    def sync(account: int) -> int:
        return account

    return app.tasks[sync.name]


def keys(server: RedisServer, pattern: str) -> list[str]:
    return sorted(key.decode() for key in server.command("KEYS", pattern))


def test_nothing_is_left_of_keys_whose_tasks_are_gone(
    app: LiteQ, sync: Any, shared_redis: RedisServer
) -> None:
    app.conf.result_expires = 0.001
    sync.delay(7)
    group(sync.s(7), sync.s(8)).delay()
    app.enqueue_many([sync.s(n % 600) for n in range(1200)])
    while drain(app):
        pass
    while app.broker.sweep(1000):
        pass

    assert keys(shared_redis, "*unique:*") == keys(shared_redis, "*behind:*") == []
    (left,) = keys(shared_redis, "*duplicates:*")
    assert 0 < shared_redis.command("TTL", left) <= 60


def test_a_key_that_another_program_has_written_over_costs_its_own_calls_only(
    app: LiteQ, sync: Any, shared_redis: RedisServer
) -> None:
    sync.delay(7)
    (key,) = keys(shared_redis, "*unique:*")
    shared_redis.command("SET", key, "x")
    with pytest.raises(BrokerError, match="WRONGTYPE"):
        sync.delay(7)
    assert not sync.delay(8).duplicate
    assert drain(app) == 2
    app.control.purge()
    done = app.broker.listing([Phase.SUCCEEDED], 9)
    assert app.broker.forget([each.message.id for each in done]) == 2


def test_what_is_no_task_has_no_key(app: LiteQ, sync: Any, shared_redis: RedisServer) -> None:
    first = sync.delay(7)
    (key,) = keys(shared_redis, "*unique:*")
    shared_redis.command("ZADD", key, 99, "nobody")
    task = keys(shared_redis, f"*task:{first.id}")[0]
    shared_redis.command("HSET", task, "unique_until", "x", "created", "y", "expires", "z")

    assert sync.delay(7).id == first.id
    shared_redis.command("HSET", task, "phase", "x")
    assert not sync.delay(7).duplicate


def test_a_signed_store_takes_no_result_of_a_task_with_another_key(
    redis_store: str, shared_redis: RedisServer
) -> None:
    with LiteQ("project", broker=redis_store, secret_key="k" * 32) as app:

        @app.task(name="project.sync", unique=Unique("{account}"))
        def sync(account: int) -> int:
            return account

        sync.delay(7)
        other = sync.delay(8)
        follower = group(sync.s(7), sync.s(9)).delay().results[0]
        (key,) = keys(shared_redis, f"*task:{follower.id}")
        assert shared_redis.command("HGET", key, "follows") == b"1"
        shared_redis.command("HSET", key, "behind", other.id)
        drain(app)

        with pytest.raises(Exception, match="does not have its unique key"):
            follower.get(timeout=0)


def test_a_signed_store_takes_no_arguments_of_a_task_with_another_key(
    redis_store: str, shared_redis: RedisServer
) -> None:
    with LiteQ("project", broker=redis_store, secret_key="k" * 32) as app:

        @app.task(name="project.sync", unique=Unique("{account}", then="replace"))
        def sync(account: int, n: int = 0) -> int:
            return account

        first, other = sync.delay(7), sync.delay(8)
        sync.delay(7, 1)
        key, theirs = (keys(shared_redis, f"*task:{each.id}")[0] for each in (first, other))
        message = shared_redis.command("HGET", theirs, "message")
        shared_redis.command("HSET", key, "given", message, "given_id", other.id)
        drain(app)

        with pytest.raises(Exception, match="does not have its unique key"):
            first.get(timeout=0)
        assert other.get(timeout=0) == 8
