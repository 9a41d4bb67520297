"""Signatures on Redis: a task takes from others only what it was sent to take.

The attacker here may write every key of the server, and copy to any place what was signed.
"""

import pytest

pytest.importorskip("redis")

from liteq.model.graph import Graph, Place
from liteq.model.outcome import Kind
from tests.adapters.signed_store import Store, message


@pytest.fixture
def chain(signed: Store) -> Store:
    """The task `second` is ready, and takes the result of `first`; `other` has run as well."""
    signed.run("other")
    signed.chain("first", "second")
    signed.settle(*signed.claim())
    return signed


def test_a_task_takes_what_the_task_before_it_returned(chain: Store) -> None:
    (second,) = chain.claim()
    assert second.inputs.result == b'"first"'
    chain.settle(second, kind=Kind.RETRY)

    (again,) = chain.claim()
    assert again.inputs.result == b'"first"'


def test_the_result_of_another_task_is_not_taken(chain: Store) -> None:
    chain.plant("first", result=chain.peek("other", "result"))

    assert chain.refuses("second", "of the result of first, which it takes")


def test_a_task_takes_from_no_other_task_than_it_was_sent_to(chain: Store) -> None:
    chain.plant("second", waits="other", woken_by="other")

    assert chain.refuses("second")


@pytest.mark.parametrize("fields", [("takes",), ("waits", "takes", "woken_by"), ("woken_by",)])
def test_a_task_does_not_run_without_what_it_takes(chain: Store, fields: tuple[str, ...]) -> None:
    chain.remove("second", *fields)

    assert chain.refuses("second")


def test_a_result_that_was_removed_is_not_taken_for_none(chain: Store) -> None:
    chain.remove("first", "result", "serializer")

    assert chain.refuses("second", "the result of first is missing")


def test_a_task_that_stores_no_result_hands_on_none(signed: Store) -> None:
    signed.chain("first", "second")
    signed.settle(*signed.claim(), result=None, serializer=None)

    (second,) = signed.claim()
    assert second.inputs.result is None
    assert signed.record("first").result is None


def test_a_report_is_not_taken_for_the_result_of_the_task_before(signed: Store) -> None:
    signed.chain("first", "second")
    first = signed.claim()
    signed.broker.report("first", "PROGRESS", b'"not yet"', "json")
    report = signed.peek("first", "result")
    signed.settle(*first)
    signed.plant("first", result=report)

    assert signed.refuses("second")


def test_an_error_is_not_taken_for_the_result_of_the_task_before(signed: Store) -> None:
    signed.chain("first", "second")
    (first,) = signed.claim()
    signed.settle(first, kind=Kind.RETRY, result=b'"an error"')
    error = signed.peek("first", "result")
    signed.settle(*signed.claim())
    signed.plant("first", result=error)

    assert signed.refuses("second")


def test_an_errback_takes_the_error_of_the_task_that_it_was_sent_with(signed: Store) -> None:
    places = (Place(followed=True), Place(waits="a", on_failure=1, takes=True))
    for prefix in ("", "other-"):
        ids = (f"{prefix}a", f"{prefix}errback")
        after = places[1]._replace(waits=ids[0])
        graph = Graph((message(ids[0]), message(ids[1])), (places[0], after))
        signed.broker.enqueue_graph(graph)
    a, others = signed.claim()
    signed.settle(a, kind=Kind.FAILED)
    (errback,) = signed.claim()
    assert (errback.inputs.result, errback.inputs.message[0]) == (b'"a"', "a")
    signed.settle(others, kind=Kind.FAILED)
    signed.plant("other-errback", waits="a", woken_by="a")

    assert signed.refuses("other-errback")


@pytest.fixture
def chord(signed: Store) -> Store:
    """The task `body` is ready, and takes the results of `x` and `y`; `other` has run as well."""
    signed.chord("g", "x", "y")
    signed.settle(*signed.claim())
    (body,) = signed.claim()
    assert [each.result for each in body.inputs] == [b'"x"', b'"y"']
    signed.broker.release([body.receipt])
    return signed


def test_the_result_of_another_task_is_not_taken_for_that_of_a_member(chord: Store) -> None:
    chord.plant("x", result=chord.peek("y", "result"))

    assert chord.refuses("body")


@pytest.mark.parametrize("group", [None, "h"])
def test_a_task_that_is_no_member_of_a_group_cannot_be_made_one(
    signed: Store, group: str | None
) -> None:
    signed.run("alone")
    signed.chord("h", "alien", body="another")
    signed.chord("g", "x", "y")
    signed.settle(*signed.claim())
    signed.command("ZADD", "{liteq}:members:g", 0, "alien" if group else "alone")

    assert signed.refuses("body", "no such place in the group")


def test_members_cannot_change_places(chord: Store) -> None:
    chord.command("ZADD", "{liteq}:members:g", 1, "x", 0, "y")

    assert chord.refuses("body", "place in the group")


def test_a_body_waits_for_no_other_group_than_it_was_sent_with(chord: Store) -> None:
    chord.plant("body", waits="h")

    assert chord.refuses("body")
