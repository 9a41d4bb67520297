"""A network that fails between clients and a Redis server: replies are lost, connections break."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker
from liteq.exceptions import BrokerUnreachable
from liteq.model.outcome import Settlement
from liteq.states import Phase
from tests.e2e.project import wait_for
from tests.faults.proxy import Proxy
from tests.faults.redis_tasks import done, message, project_on, success
from tests.servers import RedisServer, needs_redis

pytestmark = [needs_redis, pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")]


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def behind(proxy: Proxy) -> str:
    return f"redis://127.0.0.1:{proxy.port}/0?timeout=1&connect_timeout=1"


def test_a_worker_survives_reset_connections_and_a_silent_network(
    proxy: Proxy, behind: str, broker: RedisBroker, tmp_path: Path
) -> None:
    project = project_on(tmp_path, behind)
    with project.worker() as worker:
        for _ in range(5):
            proxy.reset()
            batch = [message() for _ in range(20)]
            broker.enqueue(batch)
            sent = [each.id for each in batch]
            wait_for(partial(done, broker, sent), "what was sent")
        proxy.silent = True
        worker.wait_for_line("the store fails")
        batch = [message() for _ in range(20)]
        broker.enqueue(batch)
        proxy.silent = False
        wait_for(lambda: done(broker, [each.id for each in batch]), "what was sent meanwhile")
        assert worker.process.poll() is None


def test_a_caller_gets_an_error_within_the_timeout_when_no_reply_comes(
    proxy: Proxy, behind: str
) -> None:
    broker = connect(behind)
    broker.enqueue([message()])
    proxy.silent = True

    with pytest.raises(BrokerUnreachable, match="does not answer"):
        broker.enqueue([message()])
    broker.close()


def test_a_task_whose_acknowledgement_was_lost_is_stored_once(
    proxy: Proxy, behind: str, broker: RedisBroker
) -> None:
    ours = connect(behind)
    ours.enqueue([message("first")])
    proxy.mute = True
    with pytest.raises(BrokerUnreachable):
        ours.enqueue([message("a")])
    proxy.mute = False
    proxy.reset()
    ours.enqueue([message("a")])
    ours.close()

    assert [count.tasks for count in broker.counts()] == [2]


def test_tasks_of_a_claim_with_a_lost_reply_are_not_stuck(
    proxy: Proxy, behind: str, broker: RedisBroker
) -> None:
    ours = connect(behind)
    claim = Claim(ours.register("worker", "{}"), ("celery",), 5)
    broker.enqueue([message("a"), message("b")])
    proxy.mute = True
    with pytest.raises(BrokerUnreachable):
        ours.claim(claim)
    proxy.mute = False
    proxy.reset()

    deliveries = ours.claim(claim)
    assert [each.message.id for each in deliveries] == ["a", "b"]
    assert ours.settle(list(map(success, deliveries))).refused == []
    ours.close()


@contextmanager
def a_broken_connection(proxy: Proxy, is_done: Callable[[], bool]) -> Iterator[None]:
    """Break all connections when what the block does is done, before its reply comes.

    The server must know the script by then.
    """

    def break_it() -> None:
        wait_for(is_done)
        proxy.mute = False
        proxy.reset()

    breaker = threading.Thread(target=break_it)
    proxy.mute = True
    breaker.start()
    yield
    breaker.join()


def test_a_settlement_that_is_sent_again_at_once_is_not_refused(
    proxy: Proxy, behind: str, broker: RedisBroker
) -> None:
    ours = connect(behind.replace("timeout=1&", "timeout=20&"))
    claim = Claim(ours.register("worker", "{}"), ("celery",), 5)
    broker.enqueue([message("a"), message("b")])
    a, b = ours.claim(claim)
    retry = b.message._replace(retries=1)
    ours.settle([])
    retried = Settlement(b.receipt, Phase.READY, 1.0, retry=retry, why="retry")

    with a_broken_connection(proxy, lambda: done(broker, ["a"])):
        settled = ours.settle([success(a), retried])

    assert settled.refused == []
    assert [len(broker.attempts(id)) for id in ("a", "b")] == [1, 1]
    assert ours.settle([success(a)]).refused == [a.receipt]
    ours.close()


def test_a_worker_that_is_registered_again_at_once_is_one_worker(
    proxy: Proxy, behind: str, broker: RedisBroker
) -> None:
    ours = connect(behind.replace("timeout=1&", "timeout=20&"))
    first = ours.register("worker", "{}")

    with a_broken_connection(proxy, lambda: len(broker.workers()) == 2):
        number = ours.register("worker", "{}")

    assert [each.id for each in broker.workers()] == [first, number]
    assert ours.register("worker", "{}") == number + 1
    ours.close()
