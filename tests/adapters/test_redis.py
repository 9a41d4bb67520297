"""What only the Redis store can get wrong."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq import LiteQ
from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker
from liteq.brokers.redis.serverclock import ServerClock
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
    """The server does what it is told, and its answers are lost."""

    losing = ""

    def _run(self, verb: str, *args: object) -> object:
        answer = super()._run(verb, *args)
        if verb == self.losing:
            raise BrokerUnavailable("the answer was lost")
        return answer


@pytest.fixture
def lossy(broker: RedisBroker) -> Iterator[LosesReplies]:
    lossy = LosesReplies(broker.location, system_clock)
    yield lossy
    lossy.close()


# lost replies


@pytest.mark.parametrize("verb", ["claim", "settle"])
def test_tasks_of_a_claim_whose_answer_was_lost_are_handed_out_again(
    lossy: LosesReplies, verb: str
) -> None:
    wish = Claim(lossy.register("worker", "{}"), ("celery",), 5)
    lossy.enqueue([message("a"), message("b")])
    lossy.losing = verb
    with pytest.raises(BrokerUnavailable):
        lossy.claim(wish) if verb == "claim" else lossy.settle([], wish)
    lossy.losing = ""

    assert [each.message.id for each in lossy.claim(wish)] == ["a", "b"]
    assert lossy.claim(wish) == []


def test_what_was_given_back_meanwhile_is_not_handed_out_again(lossy: LosesReplies) -> None:
    worker = lossy.register("worker", "{}")
    lossy.enqueue([message("a"), message("b")])
    lossy.losing = "claim"
    with pytest.raises(BrokerUnavailable):
        lossy.claim(Claim(worker, ("celery",), 1))
    lossy.losing = ""
    lossy.server.run("release", 1.0, "a", lossy.server.ask("HGET", "{liteq}:task:a", "token"))
    other = lossy.register("other", "{}")
    assert len(lossy.claim(Claim(other, ("celery",), 1))) == 1

    assert [each.message.id for each in lossy.claim(Claim(worker, ("celery",), 1))] == ["b"]


def test_a_settlement_whose_answer_was_lost_is_not_refused_the_second_time(
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


def test_the_late_worker_that_comes_back_learns_what_was_taken_from_it(
    broker: RedisBroker, worker: int
) -> None:
    broker.enqueue([message("a")])
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    broker.server.ask("ZADD", "{liteq}:leases", 1, worker)
    assert [each.message.id for each in broker.rescue(rescuing(broker.clock))] == ["a"]
    assert broker.workers() == []

    broker.beat(worker, "{}")
    assert [each.id for each in broker.workers()] == [worker]
    assert [each.receipt for each in broker.to_terminate(worker)] == [delivery.receipt]
    assert broker.settle([success(delivery)]).refused == [delivery.receipt]
    assert len(broker.claim(Claim(worker, ("celery",), 1))) == 1


def test_no_lease_runs_out_while_nobody_could_be_heard(broker: RedisBroker, worker: int) -> None:
    """The server was away for an hour. The first to come back must not bury the others."""
    broker.enqueue([message("a")])
    broker.claim(Claim(worker, ("celery",), 1))
    hour_ago = time.time() - 3600
    broker.server.ask("ZADD", "{liteq}:leases", hour_ago + 30, worker)
    broker.server.ask("SET", "{liteq}:beat", hour_ago)

    broker.register("first", "{}")
    assert broker.rescue(rescuing(broker.clock)) == []
    assert len(broker.workers()) == 2


def test_a_store_that_was_emptied_under_a_worker_knows_it_again(
    broker: RedisBroker, worker: int, caplog: pytest.LogCaptureFixture
) -> None:
    broker.enqueue([message("a")])
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    broker.server.ask("FLUSHDB")

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


def test_the_time_is_the_server_s_whatever_the_clock_here_says(
    broker: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ServerClock(broker.server)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() - 600)

    assert abs(clock() - wall()) < 60
    monkeypatch.setattr(time, "time", lambda: wall() + 86400)  # it is set while we run
    assert abs(clock() - wall()) < 60


# scripts


def test_forgotten_scripts_are_loaded_again(broker: RedisBroker, worker: int) -> None:
    for id in "abc":
        broker.enqueue([message(id)])
        broker.server.ask("SCRIPT", "FLUSH")
        (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
        broker.server.ask("SCRIPT", "FLUSH")
        assert broker.settle([success(delivery)]).refused == []


def test_what_users_send_passes_untouched(broker: RedisBroker, worker: int) -> None:
    """Lua's numbers and its JSON would make 1.2345678901235e+16 and {} of these."""
    payload = json.dumps([[12345678901234567, [], {}], {"x": 0.1}]).encode()
    sent = message("a", payload)._replace(
        options='{"headers": {"n": 12345678901234567, "none": []}}', eta=1.1, priority=-7
    )
    broker.enqueue([sent])

    assert broker.fetch(["a"])[0].message == sent  # type: ignore[union-attr]
    assert broker.claim(Claim(worker, ("celery",), 1))[0].message == sent


def test_a_listed_task_whose_data_are_gone_stops_nobody(broker: RedisBroker, worker: int) -> None:
    broker.enqueue([message("a"), message("b"), message("c")])
    broker.server.ask("DEL", "{liteq}:task:a")

    assert [each.message.id for each in broker.claim(Claim(worker, ("celery",), 2))] == ["b"]
    broker.server.ask("DEL", "{liteq}:task:b")
    broker.server.ask("ZADD", "{liteq}:leases", 1, worker)
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


def test_pickle_is_refused_without_a_key_and_the_error_says_how(redis_store: str) -> None:
    app = LiteQ("project", broker=redis_store, task_serializer="pickle")

    with pytest.raises(ImproperlyConfigured, match="set secret_key"):
        app.send_task("add", (1, 2))
    with pytest.raises(ImproperlyConfigured, match="set secret_key"):
        _ = app.backend


def test_what_is_signed_comes_back_as_it_was(signed: RedisBroker) -> None:
    worker = signed.register("worker", "{}")
    sent = message("a")
    signed.enqueue([sent])
    assert b"LQ1" in signed.server.ask("HGET", "{liteq}:task:a", "message")

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


def test_a_message_that_was_not_signed_is_set_aside_unread(
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


def test_a_message_of_another_queue_does_not_pass(signed: RedisBroker) -> None:
    worker = signed.register("worker", "{}")
    signed.enqueue([message("a"), message("b")])
    stolen = signed.server.ask("HGET", "{liteq}:task:a", "message")
    signed.server.ask("HSET", "{liteq}:task:b", "message", stolen)

    assert [each.message.id for each in signed.claim(Claim(worker, ("celery",), 2))] == ["a"]


def test_a_result_that_was_put_there_is_not_decoded(signed: RedisBroker) -> None:
    app = LiteQ("project", broker=signed, accept_content=["json", "pickle"])
    worker = signed.register("worker", "{}")
    signed.enqueue([message("a"), message("b")])
    signed.settle(list(map(success, signed.claim(Claim(worker, ("celery",), 2)))))
    theirs = signed.server.ask("HGET", "{liteq}:task:b", "result")
    for forged in (b"cos\nsystem\n(S'true'\ntR.", theirs):
        signed.server.ask("HSET", "{liteq}:task:a", "result", forged, "serializer", "json")

        with pytest.raises(SecurityError, match="not to be trusted"):
            app.AsyncResult("a").get(timeout=5)


# errors


def test_a_server_that_is_not_there_is_said_to_be_so_without_its_password() -> None:
    broker = connect(f"redis://:hunter2@127.0.0.1:{free_port()}/0")

    with pytest.raises(BrokerUnavailable, match=r"redis://:\*\*\*@127.0.0.1") as caught:
        broker.enqueue([message()])
    assert "hunter2" not in str(caught.value)


def test_a_host_without_an_address_is_said_to_be_so() -> None:
    with pytest.raises(BrokerUnavailable, match="no connection"):
        connect("redis://no-such-host.invalid:6379").enqueue([message()])


def test_a_wrong_database_is_said_to_be_so(shared_redis: RedisServer) -> None:
    with pytest.raises(BrokerError, match="out of range"):
        connect(f"redis://127.0.0.1:{shared_redis.port}/999").enqueue([message()])


def test_tls_where_there_is_none_is_no_hang(shared_redis: RedisServer) -> None:
    with pytest.raises(BrokerUnavailable):
        connect(f"rediss://127.0.0.1:{shared_redis.port}/0?timeout=1").enqueue([message()])


def test_the_rights_of_the_guide_are_enough(redis_store: str, shared_redis: RedisServer) -> None:
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


# what the server's settings put at risk


@pytest.mark.parametrize(
    ("setting", "value", "what"),
    [
        ("maxmemory-policy", "allkeys-lru", "throws tasks away"),
        ("appendonly", "no", "should the server die"),
    ],
)
def test_a_worker_warns_at_its_start_of_settings_that_lose_tasks(
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
