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
from liteq.model.outcome import Kind, Settlement
from liteq.model.output import Output, encode_lines
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


def test_signed_messages_and_results_are_read_back_unchanged(signed: Store) -> None:
    sent = message("a")
    signed.broker.enqueue([sent])
    assert b"LQ2" in signed.peek("a", "message")

    (delivery,) = signed.claim()
    assert delivery.message == sent
    signed.settle(delivery)
    assert (signed.record("a").message, signed.record("a").result) == (sent, b'"a"')


def print_something(store: Store, *ids: str) -> None:
    """Send tasks that print their ids, and let them go on."""
    store.broker.enqueue(list(map(message, ids)))
    now = store.broker.clock()
    for each in store.claim():
        output = Output(1, 1, 1, encode_lines([(1, now, None, f"of {each.message.id}")]))
        printed = Settlement(each.receipt, Phase.RUNNING, now, output=output)
        assert store.broker.settle([printed]).refused == []


def test_signed_output_is_read_back_unchanged(signed: Store) -> None:
    print_something(signed, "a")

    assert [line.text for line in signed.broker.output("a")] == ["of a"]


def test_output_of_another_task_and_output_that_was_not_signed_are_refused(
    redis_store: str, signed: Store
) -> None:
    print_something(signed, "a", "b")
    key = f"{signed.broker.location.prefix}:output:"
    (of_b,) = signed.command("ZRANGE", f"{key}b", 0, -1)
    signed.command("ZADD", f"{key}a", 2**40, of_b)
    signed.command("DEL", f"{key}b")
    signed.command("ZADD", f"{key}b", 2**40, b'1 1 1 [[1,1.0,null,"forged"]]')

    with pytest.raises(SecurityError, match="does not fit"):
        signed.broker.output("a")
    with pytest.raises(SecurityError, match="not signed"):
        signed.broker.output("b")


def test_a_revived_task_is_still_signed(signed: Store) -> None:
    signed.run("a", kind=Kind.FAILED)
    signed.broker.revive(["a"])

    assert len(signed.claim()) == 1


def test_a_message_that_was_not_signed_is_dead_and_not_decoded(
    redis_store: str, signed: Store
) -> None:
    plain = connect(redis_store)
    plain.enqueue([message("evil")])
    plain.close()
    signed.broker.enqueue([message("good")])

    assert [each.message.id for each in signed.claim()] == ["good"]
    assert signed.peek("evil", "phase") == b"%d" % Phase.DEAD
    assert b"it is not signed" in signed.peek("evil", "traceback")


@pytest.mark.parametrize(("field", "value"), [("lost", "x"), ("reported", b"\xff")])
def test_a_message_with_two_things_wrong_costs_no_other(
    redis_store: str, signed: Store, field: str, value: str | bytes
) -> None:
    """It is not signed, and cannot be read either."""
    plain = connect(redis_store)
    plain.enqueue([message("evil")])
    plain.close()
    signed.plant("evil", **{field: value})
    signed.broker.enqueue([message("good")])

    assert [each.message.id for each in signed.claim()] == ["good"]
    assert signed.peek("evil", "phase") == b"%d" % Phase.DEAD
    assert b"cannot be read" in signed.peek("evil", "traceback")


def test_the_message_of_another_task_is_refused(signed: Store) -> None:
    signed.broker.enqueue([message("a"), message("b")])
    signed.plant("b", message=signed.peek("a", "message"))

    assert [each.message.id for each in signed.claim()] == ["a"]


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
    signed: Store, sent: bytes, planted: bytes
) -> None:
    once = message("a", acks_late=False, options='{"immutable": true}')
    signed.broker.enqueue([once])
    stored = signed.peek("a", "message")
    head, line, payload = stored.partition(b"\n")
    assert sent in head
    signed.plant("a", message=head.replace(sent, planted, 1) + line + payload)

    assert signed.refuses("a", "does not fit")


@pytest.mark.parametrize("url", ["?name=other", "1"])
def test_a_message_of_another_store_is_refused(
    signed: Store, shared_redis: RedisServer, url: str
) -> None:
    """The stores are on one server, and have the same key."""
    address = signed.broker.address
    theirs = Store(address + url if url.startswith("?") else address.removesuffix("0") + url)
    theirs.broker.enqueue([message("a")])
    signed.broker.enqueue([message("a")])
    signed.plant("a", message=theirs.peek("a", "message"))
    theirs.broker.close()

    assert signed.refuses("a", "belongs elsewhere")


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


def test_a_forged_result_is_not_decoded(signed: Store) -> None:
    app = LiteQ("project", broker=signed.broker, accept_content=["json", "pickle"])
    signed.run("a", "b")
    for forged in (b"cos\nsystem\n(S'true'\ntR.", signed.peek("b", "result")):
        signed.plant("a", result=forged)

        with pytest.raises(SecurityError, match="failed the check of its signature"):
            app.AsyncResult("a").get(timeout=5)


def is_refused(record: Record) -> bool:
    return record.phase is Phase.FAILED and "check of its signature" in str(record.traceback)


def test_the_result_of_another_store_is_refused(signed: Store, other_signed: Store) -> None:
    signed.run("a")
    other_signed.run("a")
    assert not is_refused(signed.record("a"))
    signed.plant("a", result=other_signed.peek("a", "result"))

    assert is_refused(signed.record("a"))


@pytest.mark.parametrize("reported", ["", "PROGRESS"])
def test_a_progress_report_is_not_taken_for_a_result(signed: Store, reported: str) -> None:
    signed.broker.enqueue([message("a")])
    deliveries = signed.claim()
    signed.broker.report("a", "PROGRESS", b'"not yet"', "json")
    report = signed.peek("a", "result")
    assert signed.record("a").result == b'"not yet"'
    signed.settle(*deliveries, kind=Kind.FAILED)
    signed.plant("a", result=report, phase=int(Phase.SUCCEEDED))
    if reported:
        signed.plant("a", reported=reported)

    assert is_refused(signed.record("a"))


def test_a_report_is_not_taken_for_one_of_another_state(signed: Store) -> None:
    signed.broker.enqueue([message("a")])
    signed.broker.report("a", "REFUSED", b'"paid"', "json")
    signed.plant("a", reported="PAID")

    assert signed.record("a").result is None


def test_an_error_is_not_taken_for_a_value_nor_a_value_for_an_error(signed: Store) -> None:
    signed.run("good")
    signed.run("bad", kind=Kind.FAILED)
    signed.plant("good", phase=int(Phase.FAILED))
    signed.plant("bad", phase=int(Phase.SUCCEEDED))

    assert is_refused(signed.record("good"))
    assert is_refused(signed.record("bad"))


def test_the_state_of_a_revoked_task_is_still_read(signed: Store) -> None:
    signed.broker.enqueue([message("a"), message("b")])
    signed.broker.report("a", "HELD", b'"why"', "json")
    _, b = signed.claim()
    signed.settle(b, kind=Kind.RETRY, eta=signed.broker.clock() + 60)
    signed.broker.release([each.receipt for each in signed.claim()])
    signed.broker.cancel(["a", "b"], keep=None)

    assert signed.record("b").phase is Phase.CANCELLED
    assert "signature" not in str(signed.record("b").traceback)


# rescue


def test_a_rescuer_with_another_key_rescues_what_it_cannot_read(
    signed: Store, redis_store: str
) -> None:
    """Several applications may share a signed, each with a key of its own."""
    rescuer = Store(redis_store, OTHER_KEY)
    signed.run("other")
    signed.chain("first", "second")
    signed.settle(*signed.claim())
    signed.broker.enqueue([message("alone"), message("once", acks_late=False)])
    assert len(signed.claim()) == 3
    redis_workers.kill(signed.broker, signed.worker)

    rescued = rescuer.broker.rescue(rescuing(rescuer.broker.clock))
    assert sorted(each.message.id for each in rescued) == ["alone", "once", "second"]
    once = signed.record("once")
    assert once.phase is Phase.FAILED
    assert "its worker died" in str(once.traceback)
    signed.worker = signed.broker.register("again", "{}")
    again = {each.message.id: each for each in signed.claim()}
    assert sorted(again) == ["alone", "second"]
    assert again["second"].inputs.result == b'"first"'
    assert (again["alone"].lost, again["alone"].message) == (1, message("alone"))
    rescuer.broker.close()
