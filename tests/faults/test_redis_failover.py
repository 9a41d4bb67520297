"""Failover by sentinels, and a cluster."""

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

pytest.importorskip("redis")

from liteq.brokers import Broker, connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker
from liteq.exceptions import BrokerUnavailable
from liteq.model.message import Message
from liteq.model.outcome import Settlement
from liteq.states import Phase
from liteq.testing import BrokerContract, ManualClock
from tests import redis_workers
from tests.e2e.project import TASKS, Project, wait_for
from tests.faults.redis_tasks import FILE, done, message, project_on
from tests.servers import RedisServer, needs_redis, running_cluster, running_sentinels, wait_until

pytestmark = needs_redis


def test_work_goes_on_when_the_replica_becomes_master(tmp_path: Path) -> None:
    with running_sentinels(tmp_path) as (master, replica, url):
        broker = connect(f"{url}?timeout=2&connect_timeout=1&wait_replicas=1")
        assert isinstance(broker, RedisBroker)
        project = project_on(tmp_path, f"{url}?timeout=2&connect_timeout=1")
        with project.worker() as worker:
            batch = [message() for _ in range(50)]
            broker.enqueue(batch)  # the replica has them by then
            sent = [each.id for each in batch]
            wait_for(partial(done, broker, sent), "what was sent before")
            master.kill()
            more = [message() for _ in range(50)]
            wait_for(partial(sent_by, f"{url}?timeout=2&connect_timeout=1", more), "a master", 60)
            assert replica.info("replication")["role"] == "master"
            wait_for(partial(done, broker, [each.id for each in more]), "the rest", 60)
            assert worker.process.poll() is None
        broker.close()


def sent_by(url: str, batch: list[Message]) -> bool:
    broker = connect(url)
    try:
        broker.enqueue(batch)
    except BrokerUnavailable:
        return False
    finally:
        broker.close()
    return True


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[RedisServer], str]]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


class TestCluster(BrokerContract):
    """The contract on a cluster, where all keys of a script must be in one slot."""

    clients: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _store(self, cluster: tuple[list[RedisServer], str]) -> None:
        nodes, self.url = cluster
        for node in nodes:
            node.command("FLUSHALL")

    def make_broker(self, clock: ManualClock) -> Broker:
        broker = connect(self.url, clock=clock)
        assert isinstance(broker, RedisBroker)
        # A client reads the list of all commands when it connects: half a second in each test.
        # So one serves all brokers, and stays open.
        broker.server._client = self.clients.get(self.url)
        self.clients[self.url] = client = broker.server.client
        client.close = lambda: None
        return broker

    def kill_worker(self, broker: Broker, worker: int) -> None:
        redis_workers.kill(broker, worker)

    def miss_heartbeats(self, broker: Broker, worker: int) -> None:
        redis_workers.miss_heartbeats(broker, worker)

    def test_an_open_connection_extends_a_lease(self) -> None:
        """It is one to the node that the store is on."""
        owner = redis_workers.end_lease(self.broker, self.worker)
        assert isinstance(self.broker, RedisBroker)
        self.broker.server.execute("ZADD", "{liteq}:leases", time.time() - 1, self.worker)
        assert self.broker.workers() == []

        with self.broker.server.client.pubsub() as pubsub:
            pubsub.subscribe(f"{{liteq}}:process:{owner}")
            wait_until(lambda: len(self.broker.workers()) == 1, "the subscription")


def test_a_worker_serves_a_cluster(cluster: tuple[list[RedisServer], str], tmp_path: Path) -> None:
    project = Project(tmp_path, TASKS.replace(FILE, cluster[1]))
    with project.worker():
        assert "5" in project.python("from project import add; print(add.delay(2, 3).get(20))")
        assert "add" not in project.liteq("doctor", "-A", "project", code=None)


def test_stores_with_different_names_are_on_different_nodes_of_a_cluster(
    cluster: tuple[list[RedisServer], str],
) -> None:
    nodes, url = cluster
    names = {slot_of(nodes[0], name) % len(nodes): name for name in "abcdefgh"}  # see servers.py
    assert len(names) == len(nodes)
    for number, name in names.items():
        broker = connect(f"{url}/?name={name}")
        with closing(broker):
            worker = broker.register("worker", "{}")
            with closing(broker.work_listener(worker)) as listener:
                while listener.wait(0.0):
                    pass
                broker.enqueue([message()])
                assert listener.wait(5.0)
            (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
            done = Settlement(delivery.receipt, Phase.SUCCEEDED, 1.0)
            assert broker.settle([done]).refused == []

        homes = [stores_on(node) for node in nodes]
        assert [f"{{liteq:{name}}}" in home for home in homes] == [n == number for n in range(3)]


def slot_of(node: RedisServer, name: str) -> int:
    return int(node.command("CLUSTER", "KEYSLOT", f"{{liteq:{name}}}"))


def stores_on(node: RedisServer) -> set[str]:
    """Return what the keys of the stores on a node begin with."""
    return {key.decode().partition("}")[0] + "}" for key in node.command("KEYS", "{liteq:*")}
