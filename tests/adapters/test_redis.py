"""The Redis broker: lost replies, leases, clocks, scripts, signatures and settings."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq import LiteQ
from liteq.brokers import connect
from liteq.brokers.base import Claim, Rescue
from liteq.brokers.redis import RedisBroker
from liteq.brokers.redis.clock import ServerClock
from liteq.brokers.redis.indexes import id_pages
from liteq.brokers.redis.server import Argument, Server
from liteq.exceptions import BrokerError, BrokerUnavailable, ImproperlyConfigured, SecurityError
from liteq.model.message import Delivery, Message, new_id
from liteq.model.outcome import Settlement
from liteq.states import Phase
from liteq.support.clock import system_clock
from liteq.testing.contract.harness import rescuing
from tests.servers import RedisServer, free_port, running_server

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


def test_a_late_worker_is_to_terminate_the_tasks_that_were_taken_from_it(
    broker: RedisBroker, worker: int
) -> None:
    broker.enqueue([message("a")])
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    broker.server.execute("ZADD", "{liteq}:leases", 1, worker)
    assert [each.message.id for each in broker.rescue(rescuing(broker.clock))] == ["a"]
    assert broker.workers() == []

    broker.beat(worker, "{}")
    assert [each.id for each in broker.workers()] == [worker]
    assert [each.receipt for each in broker.to_terminate(worker)] == [delivery.receipt]
    assert broker.settle([success(delivery)]).refused == [delivery.receipt]
    assert len(broker.claim(Claim(worker, ("celery",), 1))) == 1


def test_what_a_late_worker_claims_during_a_rescue_is_not_lost(
    broker: RedisBroker, worker: int
) -> None:
    """Its lease has ended, but it lives, and claims between the reading and the writing."""
    broker.enqueue([message("a"), message("b")])
    broker.claim(Claim(worker, ("celery",), 1))
    broker.server.execute("ZADD", "{liteq}:leases", 1, worker)
    decide = rescuing(broker.clock)

    def claim_then_decide(info: str, held: Sequence[Delivery]) -> Rescue:
        broker.claim(Claim(worker, ("celery",), 1))
        return decide(info, held)

    assert broker.rescue(claim_then_decide) == []
    assert [each.message.id for each in broker.rescue(decide)] == ["a", "b"]


def test_no_lease_ends_while_no_worker_could_reach_the_server(
    broker: RedisBroker, worker: int
) -> None:
    """After an outage of an hour the first worker to return must not rescue from the others."""
    broker.enqueue([message("a")])
    broker.claim(Claim(worker, ("celery",), 1))
    hour_ago = time.time() - 3600
    broker.server.execute("ZADD", "{liteq}:leases", hour_ago + 30, worker)
    broker.server.execute("SET", "{liteq}:beat", hour_ago)

    broker.register("first", "{}")
    assert broker.rescue(rescuing(broker.clock)) == []
    assert len(broker.workers()) == 2


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
    broker.server.execute("ZADD", "{liteq}:leases", 1, worker)
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


# signatures


@pytest.fixture
def signed(redis_store: str) -> Iterator[RedisBroker]:
    broker = connect(redis_store)
    assert isinstance(broker, RedisBroker)
    broker.sign(KEY)
    yield broker
    broker.close()


def test_pickle_is_refused_without_a_key_and_the_error_names_the_setting(redis_store: str) -> None:
    app = LiteQ("project", broker=redis_store, task_serializer="pickle")

    with pytest.raises(ImproperlyConfigured, match="set secret_key"):
        app.send_task("add", (1, 2))
    with pytest.raises(ImproperlyConfigured, match="set secret_key"):
        _ = app.backend


def test_signed_messages_and_results_are_read_back_unchanged(signed: RedisBroker) -> None:
    worker = signed.register("worker", "{}")
    sent = message("a")
    signed.enqueue([sent])
    assert b"LQ1" in signed.server.execute("HGET", "{liteq}:task:a", "message")

    (delivery,) = signed.claim(Claim(worker, ("celery",), 1))
    assert delivery.message == sent
    signed.settle([success(delivery)])
    (record,) = signed.fetch(["a"])
    assert record is not None
    assert (record.message, record.result) == (sent, b"3")


def test_a_revived_task_is_still_signed(signed: RedisBroker) -> None:
    worker = signed.register("worker", "{}")
    signed.enqueue([message("a")])
    (delivery,) = signed.claim(Claim(worker, ("celery",), 1))
    signed.settle([success(delivery)._replace(phase=Phase.DEAD)])
    signed.revive(["a"])

    assert len(signed.claim(Claim(worker, ("celery",), 1))) == 1


def test_a_message_that_was_not_signed_is_dead_and_not_decoded(
    broker: RedisBroker, signed: RedisBroker
) -> None:
    worker = signed.register("worker", "{}")
    broker.enqueue([message("evil")])
    signed.enqueue([message("good")])

    deliveries = signed.claim(Claim(worker, ("celery",), 2))
    assert [each.message.id for each in deliveries] == ["good"]
    (record,) = broker.fetch(["evil"])
    assert record is not None
    assert record.phase is Phase.DEAD
    assert "it is not signed" in str(record.traceback)


def test_the_signed_message_of_another_task_is_refused(signed: RedisBroker) -> None:
    worker = signed.register("worker", "{}")
    signed.enqueue([message("a"), message("b")])
    stolen = signed.server.execute("HGET", "{liteq}:task:a", "message")
    signed.server.execute("HSET", "{liteq}:task:b", "message", stolen)

    assert [each.message.id for each in signed.claim(Claim(worker, ("celery",), 2))] == ["a"]


def test_a_forged_result_is_not_decoded(signed: RedisBroker) -> None:
    app = LiteQ("project", broker=signed, accept_content=["json", "pickle"])
    worker = signed.register("worker", "{}")
    signed.enqueue([message("a"), message("b")])
    signed.settle(list(map(success, signed.claim(Claim(worker, ("celery",), 2)))))
    theirs = signed.server.execute("HGET", "{liteq}:task:b", "result")
    for forged in (b"cos\nsystem\n(S'true'\ntR.", theirs):
        signed.server.execute("HSET", "{liteq}:task:a", "result", forged, "serializer", "json")

        with pytest.raises(SecurityError, match="failed the check of its signature"):
            app.AsyncResult("a").get(timeout=5)


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
