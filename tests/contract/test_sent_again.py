"""Ids that are used again: in another canvas, in a copy of a signature, in many calls at once."""

from typing import Any

import pytest

from liteq import LiteQ, chain, chord, group
from liteq.testing import drain


@pytest.fixture
def ran(app: LiteQ) -> list[Any]:
    """Return the arguments of the tasks that ran."""
    return []


@pytest.fixture
def t(app: LiteQ, ran: list[Any]) -> Any:
    @app.task
    def note(*args: Any) -> Any:
        ran.append(args)
        return args

    @app.task
    def fail(*args: Any) -> Any:
        raise ValueError(args)

    return app.tasks[note.name], app.tasks[fail.name]


def test_a_frozen_signature_in_two_canvases_runs_in_each(
    app: LiteQ, t: Any, ran: list[Any]
) -> None:
    note, _ = t
    shared = note.si("shared")
    id = shared.freeze().id

    for n in range(3):
        result = chain(note.si(n), shared, note.si("end", n)).delay()
        in_header = chord([shared, note.si(n)], note.si("body", n)).delay()
        drain(app)
        assert result.get(timeout=0)[1] == in_header.get(timeout=0)[1] == n

    assert ran.count(("shared",)) == 6
    assert app.AsyncResult(id).get(timeout=0) is not None


def test_canvases_that_share_a_frozen_signature_may_run_at_the_same_time(
    app: LiteQ, t: Any, ran: list[Any]
) -> None:
    note, _ = t
    shared = note.si("shared")
    shared.freeze()

    results = [chain(shared, note.si("end", n)).delay() for n in range(3)]
    drain(app)

    assert [result.get(timeout=0)[1] for result in results] == [0, 1, 2]
    assert ran.count(("shared",)) == 3


def test_a_copy_of_a_frozen_canvas_runs_after_the_original(
    app: LiteQ, t: Any, ran: list[Any]
) -> None:
    note, _ = t
    canvases = [
        chain(note.si(1), note.si("end")),
        chord([note.si(1), note.si(2)], note.si("end")),
        group([note.si(1), note.si("end")]) | note.si("end"),
    ]
    for at_once in (True, False):
        for canvas in canvases:
            ran.clear()
            canvas.freeze()
            copy = canvas.clone()
            results = [canvas.delay()]
            if not at_once:
                drain(app)
            results.append(copy.delay())
            drain(app)

            assert [result.get(timeout=0)[0] for result in results] == ["end", "end"]
            assert ran.count((1,)) == 2


def test_a_canvas_that_is_sent_again_keeps_the_results_of_the_run_before(
    app: LiteQ, t: Any, ran: list[Any]
) -> None:
    note, _ = t
    for canvas in (
        chain(note.si(1), note.si("end")),
        chord([note.si(1), note.si(2)], note.si("end")),
        group(note.si(1), note.si(2)),
    ):
        canvas.freeze()
        first = canvas.delay()
        drain(app)

        second = canvas.delay()
        drain(app)

        assert second.id != first.id
        assert second.get(timeout=0) == first.get(timeout=0)
        assert all(leaf.successful() for leaf in first.leaves())


@pytest.mark.parametrize("place", ["chain", "chord", "single"])
def test_a_frozen_errback_is_called_for_each_canvas(
    app: LiteQ, t: Any, ran: list[Any], place: str
) -> None:
    note, fail = t
    errback = note.si("errback")
    result = errback.freeze()
    for n in range(1, 4):  # in a chain the errback of each step has an id of its own
        canvas = {
            "chain": chain(note.si(), fail.si()),
            "chord": chord([fail.si()], note.s()),
            "single": fail.si(),
        }[place]
        canvas.link_error(errback)
        canvas.apply_async()
        drain(app)

        assert ran.count(("errback",)) == n
        assert place == "chain" or result.get(timeout=0) is not None


def test_a_canvas_under_an_id_that_is_not_finished_is_not_sent_and_tells(
    app: LiteQ, t: Any, ran: list[Any]
) -> None:
    note, _ = t
    first = chain(note.si(1), note.si(2)).apply_async(task_id="mine")
    second = chain(note.si(3), note.si(4)).apply_async(task_id="mine")
    drain(app)
    third = chain(note.si(5), note.si(6)).apply_async(task_id="mine")
    drain(app)

    assert [each.duplicate for each in (first, second, third)] == [False, True, False]
    assert [each.id for each in (first, second, third)] == ["mine"] * 3
    assert ran == [(1,), (2,), (5,), (6,)]


def test_many_calls_at_once_tell_which_ids_were_there(app: LiteQ, t: Any, ran: list[Any]) -> None:
    note, _ = t

    def calls(n: int) -> list[Any]:
        return [note.si(n), note.si(n).set(task_id="one"), note.si(n).set(task_id="two")]

    first = app.enqueue_many(calls(1)[:2])
    second = app.enqueue_many([*calls(2), note.si(2).set(task_id="two")])
    drain(app)
    third = app.enqueue_many(calls(3))
    drain(app)

    assert [each.duplicate for each in first] == [False, False]
    assert [each.duplicate for each in second] == [False, True, False, True]
    assert [each.duplicate for each in third] == [False, True, True]
    assert [each.id for each in second][1:] == ["one", "two", "two"]
    assert sorted(ran) == [(1,), (1,), (2,), (2,), (3,)]


def test_many_canvases_at_once_tell_too(app: LiteQ, t: Any, ran: list[Any]) -> None:
    note, _ = t
    note.apply_async((1,), task_id="one")

    sent = app.enqueue_many(
        [chain(note.si(2), note.si(3)), note.si(4).set(task_id="one"), note.si(5)]
    )
    drain(app)

    assert [each.duplicate for each in sent] == [False, True, False]
    assert sorted(ran) == [(1,), (2,), (3,), (5,)]
