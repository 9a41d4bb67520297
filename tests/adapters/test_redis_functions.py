"""Redis Functions: used where the server has them, loaded again when they are lost."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker
from liteq.brokers.redis.scripts import LIBRARY_PREFIX, library
from liteq.exceptions import BrokerFull
from liteq.model.message import Delivery, Message
from liteq.model.outcome import Settlement
from liteq.states import Phase
from tests.servers import RedisServer, needs_redis, running_server, wait_until

pytestmark = needs_redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_server(tmp_path) as server:
        if int(server.info("server")["redis_version"].split(".")[0]) < 7:
            pytest.skip("this server has no functions")
        yield server


@pytest.fixture
def broker(server: RedisServer) -> Iterator[RedisBroker]:
    with closing(broker_at(server.url)) as broker:
        yield broker


def broker_at(url: str) -> RedisBroker:
    broker = connect(url)
    assert isinstance(broker, RedisBroker)
    return broker


def message(id: str) -> Message:
    return Message(id, "add", b"[[1, 2], {}]", "json", "celery")


def success(delivery: Delivery) -> Settlement:
    return Settlement(delivery.receipt, Phase.SUCCEEDED, 1.0, b"3", "json")


def run_one(broker: RedisBroker, id: str = "a") -> None:
    """Send a task, claim it and settle it."""
    broker.enqueue([message(id)])
    worker = broker.register("worker", "{}")
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    assert delivery.message.id == id
    assert broker.settle([success(delivery)]).refused == []


def calls(server: RedisServer, command: str) -> int:
    """Return how often clients have given a command."""
    stats = server.info("commandstats").get(f"cmdstat_{command}", "")
    return int(stats.partition("'calls': ")[2].partition(",")[0] or 0)


def libraries(server: RedisServer) -> set[str]:
    found = set()
    for reply in server.command("FUNCTION", "LIST"):
        fields = (
            reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
        )
        found.add(fields[b"library_name"].decode())
    return found


def test_the_scripts_are_functions_of_one_library(server: RedisServer, broker: RedisBroker) -> None:
    run_one(broker)

    assert libraries(server) == {library().name}
    assert calls(server, "fcall") > 3
    assert calls(server, "evalsha") == calls(server, "eval") == 0


def test_functions_that_were_flushed_are_loaded_again(
    server: RedisServer, broker: RedisBroker
) -> None:
    worker = broker.register("worker", "{}")
    for id in "abc":
        broker.enqueue([message(id)])
        server.command("FUNCTION", "FLUSH")
        (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
        server.command("FUNCTION", "FLUSH")
        assert broker.settle([success(delivery)]).refused == []

    assert calls(server, "evalsha") == calls(server, "eval") == 0


def test_functions_are_loaded_again_after_a_restart(
    server: RedisServer, broker: RedisBroker
) -> None:
    run_one(broker)
    server.kill()
    server.start()

    run_one(broker)

    assert libraries(server) == {library().name}


def test_two_versions_use_one_server(server: RedisServer, broker: RedisBroker) -> None:
    server.command("FUNCTION", "LOAD", other_version(1))

    run_one(broker)

    assert libraries(server) == {library().name, f"{LIBRARY_PREFIX}1"}


def test_libraries_of_other_versions_do_not_add_up(
    server: RedisServer, broker: RedisBroker
) -> None:
    server.command("FUNCTION", "LOAD", other_version(1, name="mine"))
    for n in range(5):
        server.command("FUNCTION", "LOAD", other_version(n))

    run_one(broker)

    assert libraries(server) == {library().name, "mine"}


def other_version(n: int, name: str | None = None) -> str:
    name = name or f"{LIBRARY_PREFIX}{n}"
    return f"#!lua name={name}\nredis.register_function('{name}_verb', function() return 1 end)"


@pytest.mark.parametrize("denied", ["-fcall", "-function", "-function|load"])
def test_a_user_who_may_not_use_functions_uses_scripts(server: RedisServer, denied: str) -> None:
    server.command("ACL", "SETUSER", "liteq", "on", ">secret", "~*", "&*", "+@all", denied)
    with closing(broker_at(server.url.replace("//", "//liteq:secret@"))) as broker:
        run_one(broker, "a")
        before = denied_commands(server)
        run_one(broker, "b")

    assert calls(server, "evalsha") > 3
    assert denied_commands(server) == before == 1  # it is tried once, and not at each call


def denied_commands(server: RedisServer) -> int:
    """Return how many commands the server has refused, of those that differ."""
    return sum(int(entry[b"count"]) for entry in server.command("ACL", "LOG"))


def test_a_url_may_turn_functions_off(server: RedisServer) -> None:
    with closing(broker_at(f"{server.url}?functions=0")) as broker:
        run_one(broker)

    assert libraries(server) == set()


def test_a_full_server_without_the_functions_lets_tasks_end(
    server: RedisServer, broker: RedisBroker
) -> None:
    broker.enqueue([message("a")])
    worker = broker.register("worker", "{}")
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    server.command("FUNCTION", "FLUSH")
    server.command("CONFIG", "SET", "maxmemory", 1)

    assert broker.settle([success(delivery)]).refused == []
    with pytest.raises(BrokerFull):
        broker.enqueue([message("b")])


def test_results_can_be_read_from_a_replica(server: RedisServer, tmp_path: Path) -> None:
    with closing(broker_at(server.url)) as broker:
        run_one(broker)
    server.command("FUNCTION", "FLUSH")
    folder = tmp_path / "replica"
    folder.mkdir()
    options = ("--replicaof", "127.0.0.1", str(server.port), "--repl-diskless-sync-delay", "0")
    with running_server(folder, *options) as replica, closing(broker_at(replica.url)) as reader:
        wait_until(lambda: replica.info("replication")["master_link_status"] == "up", "the replica")
        (record,) = reader.fetch(["a"])

    assert record is not None
    assert record.phase is Phase.SUCCEEDED
