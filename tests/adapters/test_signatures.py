"""Signatures on Redis: whoever can write to the server, but has no key, makes nothing run.

The attacker here may write every key of the server, and copy to any place what was signed.
"""

from pathlib import Path

import pytest

pytest.importorskip("redis")

from liteq import LiteQ
from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.exceptions import ImproperlyConfigured, SecurityError
from liteq.model.message import Record
from liteq.model.outcome import Kind
from liteq.states import Phase
from liteq.testing.contract.harness import rescuing
from tests import redis_workers
from tests.adapters.signed_store import OTHER_KEY, Store, message
from tests.servers import RedisServer, running_server

# messages


def test_pickle_is_refused_without_a_key_and_the_error_names_the_setting(redis_store: str) -> None:
    app = LiteQ("project", broker=redis_store, task_serializer="pickle")

    with pytest.raises(ImproperlyConfigured, match="set secret_key"):
        app.send_task("add", (1, 2))
    with pytest.raises(ImproperlyConfigured, match="set secret_key"):
        _ = app.backend


def test_signed_messages_and_results_are_read_back_unchanged(store: Store) -> None:
    sent = message("a")
    store.broker.enqueue([sent])
    assert b"LQ2" in store.peek("a", "message")

    (delivery,) = store.claim()
    assert delivery.message == sent
    store.settle(delivery)
    assert (store.record("a").message, store.record("a").result) == (sent, b'"a"')


def test_a_revived_task_is_still_signed(store: Store) -> None:
    store.run("a", kind=Kind.FAILED)
    store.broker.revive(["a"])

    assert len(store.claim()) == 1


def test_a_message_that_was_not_signed_is_dead_and_not_decoded(
    redis_store: str, store: Store
) -> None:
    plain = connect(redis_store)
    plain.enqueue([message("evil")])
    plain.close()
    store.broker.enqueue([message("good")])

    assert [each.message.id for each in store.claim()] == ["good"]
    assert store.peek("evil", "phase") == b"%d" % Phase.DEAD
    assert b"it is not signed" in store.peek("evil", "traceback")


@pytest.mark.parametrize(("field", "value"), [("lost", "x"), ("reported", b"\xff")])
def test_a_message_with_two_things_wrong_costs_no_other(
    redis_store: str, store: Store, field: str, value: str | bytes
) -> None:
    """It is not signed, and cannot be read either."""
    plain = connect(redis_store)
    plain.enqueue([message("evil")])
    plain.close()
    store.plant("evil", **{field: value})
    store.broker.enqueue([message("good")])

    assert [each.message.id for each in store.claim()] == ["good"]
    assert store.peek("evil", "phase") == b"%d" % Phase.DEAD
    assert b"cannot be read" in store.peek("evil", "traceback")


def test_the_message_of_another_task_is_refused(store: Store) -> None:
    store.broker.enqueue([message("a"), message("b")])
    store.plant("b", message=store.peek("a", "message"))

    assert [each.message.id for each in store.claim()] == ["a"]


@pytest.mark.parametrize(
    ("sent", "planted"),
    [
        (b'"add"', b'"sub"'),
        (b'"celery"', b'"queue"'),
        (b'"json"', b'"yaml"'),
        (b"false", b"true"),  # acks_late=False: it would run again
        (b"immutable", b"immunable"),
    ],
)
def test_what_a_message_says_of_the_call_cannot_be_changed(
    store: Store, sent: bytes, planted: bytes
) -> None:
    once = message("a", acks_late=False, options='{"immutable": true}')
    store.broker.enqueue([once])
    stored = store.peek("a", "message")
    head, line, payload = stored.partition(b"\n")
    assert sent in head
    store.plant("a", message=head.replace(sent, planted, 1) + line + payload)

    assert store.refuses("a", "does not fit")


@pytest.mark.parametrize("url", ["?name=other", "1"])
def test_a_message_of_another_store_is_refused(
    store: Store, shared_redis: RedisServer, url: str
) -> None:
    """The stores are on one server, and have the same key."""
    address = store.broker.address
    theirs = Store(address + url if url.startswith("?") else address.removesuffix("0") + url)
    theirs.broker.enqueue([message("a")])
    store.broker.enqueue([message("a")])
    store.plant("a", message=theirs.peek("a", "message"))
    theirs.broker.close()

    assert store.refuses("a", "belongs elsewhere")


def test_a_store_is_the_same_by_every_url(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running_server(folder, "--unixsocket", str(folder / "socket")) as server:
        first = Store(server.url)
        first.broker.enqueue([message("a"), message("b"), message("c")])
        for url in (server.url.replace("127.0.0.1", "localhost"), f"unix://{folder}/socket"):
            again = Store(url + "?timeout=9")
            (delivery,) = again.broker.claim(Claim(again.worker, ("celery",), 1))
            again.settle(delivery)
            assert first.record(delivery.message.id).phase is Phase.SUCCEEDED
            again.broker.close()
        first.broker.close()


# results


def test_a_forged_result_is_not_decoded(store: Store) -> None:
    app = LiteQ("project", broker=store.broker, accept_content=["json", "pickle"])
    store.run("a", "b")
    for forged in (b"cos\nsystem\n(S'true'\ntR.", store.peek("b", "result")):
        store.plant("a", result=forged)

        with pytest.raises(SecurityError, match="failed the check of its signature"):
            app.AsyncResult("a").get(timeout=5)


def is_refused(record: Record) -> bool:
    return record.phase is Phase.FAILED and "check of its signature" in str(record.traceback)


def test_the_result_of_another_store_is_refused(store: Store, other: Store) -> None:
    store.run("a")
    other.run("a")
    assert not is_refused(store.record("a"))
    store.plant("a", result=other.peek("a", "result"))

    assert is_refused(store.record("a"))


@pytest.mark.parametrize("reported", ["", "PROGRESS"])
def test_a_progress_report_is_not_taken_for_a_result(store: Store, reported: str) -> None:
    store.broker.enqueue([message("a")])
    deliveries = store.claim()
    store.broker.report("a", "PROGRESS", b'"not yet"', "json")
    report = store.peek("a", "result")
    assert store.record("a").result == b'"not yet"'
    store.settle(*deliveries, kind=Kind.FAILED)
    store.plant("a", result=report, phase=int(Phase.SUCCEEDED))
    if reported:
        store.plant("a", reported=reported)

    assert is_refused(store.record("a"))


def test_a_report_is_not_taken_for_one_of_another_state(store: Store) -> None:
    store.broker.enqueue([message("a")])
    store.broker.report("a", "REFUSED", b'"paid"', "json")
    store.plant("a", reported="PAID")

    assert store.record("a").result is None


def test_an_error_is_not_taken_for_a_value_nor_a_value_for_an_error(store: Store) -> None:
    store.run("good")
    store.run("bad", kind=Kind.FAILED)
    store.plant("good", phase=int(Phase.FAILED))
    store.plant("bad", phase=int(Phase.SUCCEEDED))

    assert is_refused(store.record("good"))
    assert is_refused(store.record("bad"))


def test_the_state_of_a_revoked_task_is_still_read(store: Store) -> None:
    store.broker.enqueue([message("a"), message("b")])
    store.broker.report("a", "HELD", b'"why"', "json")
    _, b = store.claim()
    store.settle(b, kind=Kind.RETRY, eta=store.broker.clock() + 60)
    store.broker.release([each.receipt for each in store.claim()])
    store.broker.cancel(["a", "b"], keep=None)

    assert store.record("b").phase is Phase.CANCELLED
    assert "signature" not in str(store.record("b").traceback)


# rescue


def test_a_rescuer_with_another_key_rescues_what_it_cannot_read(
    store: Store, redis_store: str
) -> None:
    """Several applications may share a store, each with a key of its own."""
    rescuer = Store(redis_store, OTHER_KEY)
    store.run("other")
    store.chain("first", "second")
    store.settle(*store.claim())
    store.broker.enqueue([message("alone"), message("once", acks_late=False)])
    assert len(store.claim()) == 3
    redis_workers.kill(store.broker, store.worker)

    rescued = rescuer.broker.rescue(rescuing(rescuer.broker.clock))
    assert sorted(each.message.id for each in rescued) == ["alone", "once", "second"]
    once = store.record("once")
    assert once.phase is Phase.FAILED
    assert "its worker died" in str(once.traceback)
    store.worker = store.broker.register("again", "{}")
    again = {each.message.id: each for each in store.claim()}
    assert sorted(again) == ["alone", "second"]
    assert again["second"].inputs.result == b'"first"'
    assert (again["alone"].lost, again["alone"].message) == (1, message("alone"))
    rescuer.broker.close()
