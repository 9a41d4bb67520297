"""Settlements that are on their way to Redis while their sender does other things."""

from collections.abc import Iterator
from contextlib import closing

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Broker, Claim, ReadSettled
from liteq.brokers.redis import RedisBroker
from liteq.exceptions import BrokerUnavailable, BrokerUnreachable
from liteq.model.message import Delivery, Message
from liteq.model.outcome import Settlement
from liteq.states import Phase
from tests.faults.proxy import Proxy
from tests.servers import RedisServer, needs_redis, wait_until

pytestmark = needs_redis


@pytest.fixture
def broker(proxy: Proxy) -> Iterator[RedisBroker]:
    """A broker behind the proxy, with three tasks in its store."""
    broker = connect(f"redis://127.0.0.1:{proxy.port}/0?timeout=1&connect_timeout=1")
    assert isinstance(broker, RedisBroker)
    with closing(broker):
        broker.enqueue([Message(id, "add", b"[[1, 2], {}]", "json", "celery") for id in "abc"])
        yield broker


@pytest.fixture
def worker(broker: RedisBroker) -> int:
    return broker.register("worker", "{}")


def claim_one(broker: RedisBroker, worker: int) -> Delivery:
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    return delivery


def success(delivery: Delivery) -> Settlement:
    return Settlement(delivery.receipt, Phase.SUCCEEDED, 1.0, b"3", "json")


def start(broker: RedisBroker, delivery: Delivery, claim: Claim | None = None) -> ReadSettled:
    read = broker.start_settle([success(delivery)], claim)
    assert read is not None
    return read


def test_the_store_can_be_used_while_a_settlement_is_on_its_way(
    broker: RedisBroker, worker: int
) -> None:
    read = start(broker, claim_one(broker, worker), Claim(worker, ("celery",), 1))
    records = broker.fetch(["a", "b", "c"])

    settled = read()

    assert [record is not None for record in records] == [True, True, True]
    assert settled.refused == []
    assert [delivery.message.id for delivery in settled.claimed] == ["b"]
    assert claim_one(broker, worker).message.id == "c"


def test_a_settlement_whose_reply_is_lost_on_its_way_is_not_refused(
    proxy: Proxy, broker: RedisBroker, worker: int
) -> None:
    start(broker, claim_one(broker, worker))()  # so that it is connected
    delivery = claim_one(broker, worker)
    proxy.mute = True
    read = start(broker, delivery, Claim(worker, ("celery",), 1))
    with closing(connect(f"redis://127.0.0.1:{proxy.target}/0")) as direct:
        wait_until(lambda: phase_of("b", direct) is Phase.SUCCEEDED, "the settlement")
    proxy.reset()
    proxy.mute = False

    settled = read()

    assert settled.refused == []
    assert [delivery.message.id for delivery in settled.claimed] == ["c"]


def test_a_settlement_that_gets_no_reply_can_be_written_again(
    proxy: Proxy, broker: RedisBroker, worker: int
) -> None:
    delivery = claim_one(broker, worker)
    proxy.mute = True
    read = start(broker, delivery)
    with pytest.raises(BrokerUnreachable):
        read()
    proxy.reset()
    proxy.mute = False

    assert broker.settle([success(delivery)]).refused == []


def test_a_settlement_of_a_lost_claim_is_refused(broker: RedisBroker, worker: int) -> None:
    delivery = claim_one(broker, worker)
    broker.release([delivery.receipt])

    assert start(broker, delivery)().refused == [delivery.receipt]


def test_a_settlement_is_sent_again_through_a_new_connection(
    proxy: Proxy, broker: RedisBroker, worker: int
) -> None:
    first, second = claim_one(broker, worker), claim_one(broker, worker)
    assert start(broker, first)().refused == []
    proxy.reset()  # the connection is broken before anything is sent through it

    assert start(broker, second)().refused == []


def test_what_the_server_has_forgotten_is_loaded_for_a_settlement_on_its_way(
    server: RedisServer, broker: RedisBroker, worker: int
) -> None:
    for _ in "abc":
        delivery = claim_one(broker, worker)
        server.command("SCRIPT", "FLUSH")
        if int(server.info("server")["redis_version"].split(".")[0]) >= 7:
            server.command("FUNCTION", "FLUSH")
        assert start(broker, delivery)().refused == []


def test_a_settlement_is_sent_to_the_new_master(
    server: RedisServer, broker: RedisBroker, worker: int
) -> None:
    delivery = claim_one(broker, worker)
    server.command("REPLICAOF", "127.0.0.1", 1)
    read = start(broker, delivery)
    with pytest.raises(BrokerUnavailable):
        read()
    server.command("REPLICAOF", "NO", "ONE")
    connections = int(server.info("stats")["total_connections_received"])

    assert start(broker, delivery)().refused == []
    # A new one, as sentinels would name another server, and that of `info`.
    assert int(server.info("stats")["total_connections_received"]) >= connections + 2


def phase_of(id: str, broker: Broker) -> Phase | None:
    (record,) = broker.fetch([id])
    return record and record.phase
