"""The Redis broker: lost replies, leases, clocks, scripts and settings."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.base import Claim, Rescue, ToTerminate
from liteq.brokers.owners import Owner, this_process
from liteq.brokers.redis import RedisBroker
from liteq.brokers.redis.clock import ServerClock
from liteq.brokers.redis.indexes import id_pages
from liteq.brokers.redis.scripting import Argument
from liteq.brokers.redis.server import Server
from liteq.exceptions import BrokerError, BrokerUnavailable
from liteq.model.message import Delivery, Message, new_id
from liteq.model.outcome import Policy, Settlement
from liteq.serializers import get
from liteq.states import Phase
from liteq.support.clock import system_clock
from liteq.testing.contract.harness import rescuing
from liteq.worker.rescue import rescue
from tests.redis_workers import end_lease
from tests.servers import RedisServer, free_port, running_server, wait_until

KEY = "k" * 32


def message(id: str | None = None, payload: bytes = b"[[1, 2], {}]") -> Message:
    return Message(id or new_id(), "add", payload, "json", "celery")


def success(delivery: Delivery) -> Settlement:
    return Settlement(delivery.receipt, Phase.SUCCEEDED, 1.0, b"3", "json")


@pytest.fixture
def broker(redis_store: str) -> Iterator[RedisBroker]:
    broker = connect(redis_store)
    assert isinstance(broker, RedisBroker)
    yield broker
    broker.close()


@pytest.fixture
def worker(broker: RedisBroker) -> int:
    return broker.register("worker", "{}")


class LosesReplies(RedisBroker):
    """A broker whose server runs each script, and whose replies get lost for one verb."""

    losing = ""

    def _run(self, verb: str, *args: object) -> object:
        reply = super()._run(verb, *args)
        if verb == self.losing:
            raise BrokerUnavailable("the reply was lost")
        return reply


@pytest.fixture
def lossy(broker: RedisBroker) -> Iterator[LosesReplies]:
    lossy = LosesReplies(broker.location, system_clock)
    yield lossy
    lossy.close()


# lost replies


@pytest.mark.parametrize("verb", ["claim", "settle"])
def test_tasks_of_a_claim_whose_reply_was_lost_are_claimed_again(
    lossy: LosesReplies, verb: str
) -> None:
    claim = Claim(lossy.register("worker", "{}"), ("celery",), 5)
    lossy.enqueue([message("a"), message("b")])
    lossy.losing = verb
    with pytest.raises(BrokerUnavailable):
        lossy.claim(claim) if verb == "claim" else lossy.settle([], claim)
    lossy.losing = ""

    assert [each.message.id for each in lossy.claim(claim)] == ["a", "b"]
    assert lossy.claim(claim) == []


def test_a_task_that_was_released_after_a_lost_reply_is_not_claimed_twice(
    lossy: LosesReplies,
) -> None:
    worker = lossy.register("worker", "{}")
    lossy.enqueue([message("a"), message("b")])
    lossy.losing = "claim"
    with pytest.raises(BrokerUnavailable):
        lossy.claim(Claim(worker, ("celery",), 1))
    lossy.losing = ""
    lossy.server.run("release", 1.0, "a", lossy.server.execute("HGET", "{liteq}:task:a", "token"))
    other = lossy.register("other", "{}")
    assert len(lossy.claim(Claim(other, ("celery",), 1))) == 1

    assert [each.message.id for each in lossy.claim(Claim(worker, ("celery",), 1))] == ["b"]


@pytest.mark.parametrize("deleted", ["before the claim", "after the reply was lost"])
def test_a_task_that_was_claimed_is_not_claimed_again_when_the_last_one_of_its_claim_is_gone(
    lossy: LosesReplies, deleted: str
) -> None:
    claim = Claim(lossy.register("worker", "{}"), ("celery",), 2)
    lossy.enqueue([message("a"), message("b")])
    if deleted == "before the claim":
        lossy.server.execute("DEL", "{liteq}:task:b")
    else:
        lossy.losing = "claim"
        with pytest.raises(BrokerUnavailable):
            lossy.claim(claim)
        lossy.losing = ""
        lossy.server.execute("DEL", "{liteq}:task:b")

    assert [each.message.id for each in lossy.claim(claim)] == ["a"]
    assert lossy.claim(claim) == []


def test_a_settlement_whose_reply_was_lost_is_not_refused_the_second_time(
    lossy: LosesReplies,
) -> None:
    worker = lossy.register("worker", "{}")
    lossy.enqueue([message("a"), message("b")])
    a, b = lossy.claim(Claim(worker, ("celery",), 2))
    lossy.losing = "settle"
    with pytest.raises(BrokerUnavailable):
        lossy.settle([success(a)])
    lossy.losing = ""

    assert lossy.settle([success(a), success(b)]).refused == []
    assert lossy.settle([success(a)]).refused == [a.receipt]


# leases


@contextmanager
def connected(broker: RedisBroker, owner: Owner) -> Iterator[None]:
    """Subscribe for the block as a worker's process does."""
    channel = f"{{liteq}}:process:{owner}"
    with broker.server.client.pubsub() as pubsub:
        pubsub.subscribe(channel)
        wait_until(lambda: listening(broker, channel) == 1, "the subscription")
        yield
    wait_until(lambda: listening(broker, channel) == 0, "its end")


def listening(broker: RedisBroker, channel: str) -> int:
    return int(broker.server.execute("PUBSUB", "NUMSUB", channel)[1])


def test_a_late_worker_is_to_terminate_the_tasks_that_were_taken_from_it(
    broker: RedisBroker, worker: int
) -> None:
    broker.enqueue([message("a")])
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    end_lease(broker, worker)
    assert [each.message.id for each in broker.rescue(rescuing(broker.clock))] == ["a"]
    assert broker.workers() == []

    broker.beat(worker, "{}")
    assert [each.id for each in broker.workers()] == [worker]
    assert broker.to_terminate(worker) == [ToTerminate(delivery.receipt, "a", taken=True)]
    assert broker.settle([success(delivery)]).refused == [delivery.receipt]
    assert len(broker.claim(Claim(worker, ("celery",), 1))) == 1


def test_what_a_late_worker_claims_during_a_rescue_is_not_lost(
    broker: RedisBroker, worker: int
) -> None:
    """Its lease has ended, but it lives, and claims between the reading and the writing."""
    broker.enqueue([message("a"), message("b")])
    broker.claim(Claim(worker, ("celery",), 1))
    end_lease(broker, worker)
    decide = rescuing(broker.clock)

    def claim_then_decide(info: str, held: Sequence[Delivery], restarted: bool) -> Rescue:
        broker.claim(Claim(worker, ("celery",), 1))
        return decide(info, held, restarted)

    assert broker.rescue(claim_then_decide) == []
    assert [each.message.id for each in broker.rescue(decide)] == ["a", "b"]


def test_no_lease_ends_while_no_worker_could_reach_the_server(
    broker: RedisBroker, worker: int
) -> None:
    """After an outage of an hour the first worker to return must not rescue from the others."""
    broker.enqueue([message("a")])
    broker.claim(Claim(worker, ("celery",), 1))
    hour_ago = time.time() - 3600
    end_lease(broker, worker)
    broker.server.execute("ZADD", "{liteq}:leases", hour_ago + 30, worker)
    broker.server.execute("SET", "{liteq}:beat", hour_ago)

    broker.register("first", "{}")
    assert broker.rescue(rescuing(broker.clock)) == []
    assert len(broker.workers()) == 2


def test_a_lease_that_ended_while_no_heartbeat_came_from_any_worker_proves_nothing(
    broker: RedisBroker, worker: int
) -> None:
    """The server was paused, and the rescuer's command is carried out before all heartbeats."""
    broker.enqueue([message("a")])
    broker.claim(Claim(worker, ("celery",), 1))
    end_lease(broker, worker)
    broker.server.execute("SET", "{liteq}:beat", time.time() - 5)

    assert broker.rescue(rescuing(broker.clock)) == []
    assert len(broker.workers()) == 0
    broker.beat(broker.register("other", "{}"), "{}")
    assert broker.rescue(rescuing(broker.clock)) == []
    assert len(broker.workers()) == 2


def test_a_lease_is_extended_while_the_connection_of_the_process_is_open(
    broker: RedisBroker, worker: int
) -> None:
    """It is stopped, keeps all its threads from running, or is cut off from the server."""
    broker.enqueue([message("a")])
    broker.claim(Claim(worker, ("celery",), 1))
    owner = end_lease(broker, worker)
    broker.server.execute("ZADD", "{liteq}:leases", time.time() - 1, worker)
    with connected(broker, owner):
        assert broker.rescue(rescuing(broker.clock)) == []
        assert [each.id for each in broker.workers()] == [worker]
    assert [each.message.id for each in broker.rescue(rescuing(broker.clock))] == ["a"]


def test_the_lease_of_a_process_with_an_open_connection_ends_all_the_same(
    broker: RedisBroker, worker: int
) -> None:
    """Its host has lost its power or its network, and has not closed the connection."""
    broker.enqueue([message("a")])
    broker.claim(Claim(worker, ("celery",), 1))
    owner = end_lease(broker, worker)
    with connected(broker, owner):
        assert [each.message.id for each in broker.rescue(rescuing(broker.clock))] == ["a"]


def test_a_process_that_listens_for_work_shows_itself(broker: RedisBroker, worker: int) -> None:
    channel = f"{{liteq}}:process:{this_process()}"
    listener = broker.work_listener(worker)
    wait_until(lambda: listening(broker, channel) == 1, "the process")
    listener.close()
    wait_until(lambda: listening(broker, channel) == 0, "its end")


def test_leases_are_right_again_after_the_server_s_clock_was_set_back(
    broker: RedisBroker, worker: int
) -> None:
    in_an_hour = time.time() + 3600
    broker.server.execute("ZADD", "{liteq}:leases", in_an_hour, worker)
    broker.server.execute("SET", "{liteq}:beat", in_an_hour)
    broker.register("other", "{}")

    assert float(broker.server.execute("ZSCORE", "{liteq}:leases", worker)) < in_an_hour - 3000


def test_a_worker_is_registered_again_when_the_store_was_emptied(
    broker: RedisBroker, worker: int, caplog: pytest.LogCaptureFixture
) -> None:
    broker.enqueue([message("a")])
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    broker.server.execute("FLUSHDB")

    assert broker.settle([success(delivery)]).refused == [delivery.receipt]
    broker.beat(worker, "{}")
    assert "the store was emptied" in caplog.text
    (seen,) = broker.workers()
    assert (seen.id, seen.name) == (worker, "worker")
    assert broker.register("other", "{}") > worker
    broker.enqueue([message("a")])
    (again,) = broker.claim(Claim(worker, ("celery",), 1))
    assert again.receipt.token > delivery.receipt.token


BROKEN = (b"", b"\xff|\xff", b"a|b|c|d|e", b"a|b|c|1e9|e|f", b"nan", b"[" * 9999)


@pytest.mark.parametrize("field", ["owner", "boot", "info", "pid", "host", "started", "beat"])
@pytest.mark.parametrize("value", BROKEN, ids=lambda value: value[:9].decode("latin-1"))
def test_a_worker_whose_record_cannot_be_read_keeps_no_other_from_being_rescued(
    broker: RedisBroker, field: str, value: bytes
) -> None:
    """Any program that can write to the server can write anything."""
    broker.enqueue([message("a"), message("b")])
    workers = [broker.register(name, "{}") for name in ("broken", "dead")]
    for number in workers:
        broker.claim(Claim(number, ("celery",), 1))
        end_lease(broker, number)
    broker.server.execute("HSET", f"{{liteq}}:worker:{workers[0]}", field, value)

    assert broker.workers() == []
    assert len(rescue(broker, Policy(), get("json"))) == 2
    alive = broker.register("alive", "{}")
    broker.server.execute("HSET", f"{{liteq}}:worker:{alive}", field, value)
    assert [each.id for each in broker.workers()] == [alive]
    assert broker.examine().facts["dead_workers"] == 0
    broker.beat(alive, "{}")


# clocks


def test_the_time_is_the_server_s_whatever_this_host_s_clock_says(
    broker: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ServerClock(broker.server)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() - 600)

    assert abs(clock() - wall()) < 60
    monkeypatch.setattr(time, "time", lambda: wall() + 86400)  # it is set while the program runs
    assert abs(clock() - wall()) < 60


# scripts


def test_forgotten_scripts_are_loaded_again(broker: RedisBroker, worker: int) -> None:
    for id in "abc":
        broker.enqueue([message(id)])
        broker.server.execute("SCRIPT", "FLUSH")
        (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
        broker.server.execute("SCRIPT", "FLUSH")
        assert broker.settle([success(delivery)]).refused == []


def test_messages_pass_through_the_scripts_unchanged(broker: RedisBroker, worker: int) -> None:
    """Lua's numbers and its JSON would make 1.2345678901235e+16 and {} of these."""
    payload = json.dumps([[12345678901234567, [], {}], {"x": 0.1}]).encode()
    sent = message("a", payload)._replace(
        options='{"headers": {"n": 12345678901234567, "none": []}}', eta=1.1, priority=-7
    )
    broker.enqueue([sent])

    assert broker.fetch(["a"])[0].message == sent  # type: ignore[union-attr]
    assert broker.claim(Claim(worker, ("celery",), 1))[0].message == sent


def test_a_task_in_an_index_without_its_data_is_passed_over(
    broker: RedisBroker, worker: int
) -> None:
    broker.enqueue([message("a"), message("b"), message("c")])
    broker.server.execute("DEL", "{liteq}:task:a")

    assert [each.message.id for each in broker.claim(Claim(worker, ("celery",), 2))] == ["b"]
    broker.server.execute("DEL", "{liteq}:task:b")
    end_lease(broker, worker)
    assert broker.rescue(rescuing(broker.clock)) == []


# threads


def test_threads_share_a_broker(broker: RedisBroker) -> None:
    def send() -> None:
        for _ in range(50):
            broker.enqueue([message()])

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [count.tasks for count in broker.counts()] == [400]


# errors


def test_an_error_about_a_missing_server_does_not_show_its_password() -> None:
    broker = connect(f"redis://:hunter2@127.0.0.1:{free_port()}/0")

    with pytest.raises(BrokerUnavailable, match=r"redis://:\*\*\*@127.0.0.1") as caught:
        broker.enqueue([message()])
    assert "hunter2" not in str(caught.value)


def test_a_host_that_cannot_be_resolved_is_an_error() -> None:
    with pytest.raises(BrokerUnavailable, match="no connection"):
        connect("redis://no-such-host.invalid:6379").enqueue([message()])


def test_a_database_out_of_range_is_an_error(shared_redis: RedisServer) -> None:
    with pytest.raises(BrokerError, match="out of range"):
        connect(f"redis://127.0.0.1:{shared_redis.port}/999").enqueue([message()])


def test_tls_to_a_server_without_it_fails_and_does_not_hang(shared_redis: RedisServer) -> None:
    with pytest.raises(BrokerUnavailable):
        connect(f"rediss://127.0.0.1:{shared_redis.port}/0?timeout=1").enqueue([message()])


def test_the_access_rights_of_the_guide_are_enough(
    redis_store: str, shared_redis: RedisServer
) -> None:
    rights = "~{liteq* &{liteq* +@all -@admin -@dangerous +info +config|get"
    assert rights in Path(__file__).parents[2].joinpath("docs/guides/redis.md").read_text()
    shared_redis.command("ACL", "SETUSER", "liteq", "on", ">secret", *rights.split())
    broker = connect(redis_store.replace("//", "//liteq:secret@"))
    worker = broker.register("worker", "{}")
    listener = broker.work_listener(worker)
    broker.enqueue([message("a")])
    assert listener.wait(5)
    listener.close()
    broker.settle(list(map(success, broker.claim(Claim(worker, ("celery",), 1)))))
    assert [count.tasks for count in broker.counts()] == [1]
    assert [record.message.id for record in broker.listing([Phase.SUCCEEDED], 5)] == ["a"]
    assert broker.examine().facts["version"] != "unknown"
    broker.close()


# settings of the server that may lose tasks


@pytest.mark.parametrize(
    ("setting", "value", "what"),
    [
        ("maxmemory-policy", "allkeys-lru", "evicts tasks"),
        ("appendonly", "no", "if the server is killed"),
    ],
)
def test_a_worker_warns_at_its_start_of_settings_that_may_lose_tasks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, setting: str, value: str, what: str
) -> None:
    with running_server(tmp_path, "--appendonly", "yes", "--maxmemory", "100mb") as server:
        broker = connect(server.url)
        broker.register("worker", "{}")
        assert caplog.text == ""
        assert broker.examine().findings == []

        server.command("CONFIG", "SET", setting, value)
        broker.register("worker", "{}")
        assert what in caplog.text
        (finding,) = broker.examine().findings
        assert what in finding.what
        broker.close()


# listings


class CountsReplies(Server):
    """A server that counts what it returns."""

    values = 0

    def run(self, verb: str, *args: Argument) -> object:
        return self._counted(super().run(verb, *args))

    def execute(self, *command: Argument) -> object:
        return self._counted(super().execute(*command))

    def _counted(self, reply: object) -> object:
        self.values += len(reply) if isinstance(reply, list) else 1
        return reply


def test_a_listing_reads_little_more_than_it_shows(redis_store: str) -> None:
    broker = connect(redis_store)
    assert isinstance(broker, RedisBroker)
    broker.enqueue([message(f"t{n:05}")._replace(priority=n % 4) for n in range(3000)])
    broker.enqueue([message(f"u{n:05}")._replace(queue="mail") for n in range(3000)])
    counting = broker.server = CountsReplies(broker.location)
    listed = broker.listing([Phase.READY, Phase.RUNNING], 50)

    assert [each.message.id for each in listed] == [f"t{n:05}" for n in range(50)]
    assert counting.values < 500
    broker.close()


def test_a_worker_that_another_program_entered_keeps_no_listing_from_being_read(
    broker: RedisBroker, worker: int
) -> None:
    broker.enqueue([message("a")])
    broker.claim(Claim(worker, ("celery",), 1))
    broker.server.execute("ZADD", "{liteq}:workers", 0, b"\xff")

    assert [each.message.id for each in broker.listing([Phase.RUNNING], 9)] == ["a"]


def test_pages_of_a_listing_follow_each_other_while_tasks_leave(redis_store: str) -> None:
    broker = connect(redis_store)
    assert isinstance(broker, RedisBroker)
    names = [f"t{n:04}" for n in range(1000)]
    broker.enqueue([message(id) for id in names])
    found: list[str] = []
    for page in id_pages(broker.server, [Phase.READY], ["celery"], 100):
        found += page
        broker.cancel(page, keep=None)

    assert found == names
    broker.close()
