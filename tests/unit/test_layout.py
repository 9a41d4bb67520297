"""Canvases that are sent: the graph that is stored, and its run in a worker."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from liteq import LiteQ, chain, chord, group
from liteq.exceptions import (
    ChordError,
    Ignore,
    ImproperlyConfigured,
    InvalidTaskError,
    TaskRevokedError,
)
from liteq.result import GroupResult
from liteq.signals import before_task_publish
from liteq.states import Phase
from liteq.testing import drain

from .conftest import Oops, make_task, message_of


@pytest.fixture
def note(app: LiteQ, calls: list[Any]) -> Any:
    return app.task(name="note")(calls.append)


@pytest.fixture
def full_errback(app: LiteQ, calls: list[Any]) -> Any:
    """Return an errback with several arguments."""

    def full_errback(request: Any, exc: Any, traceback: Any, *more: Any) -> None:
        calls.append((request.id, request.args, exc, traceback, *more))

    return app.task(name="full_errback")(full_errback)


@pytest.fixture
def swap(app: LiteQ) -> Any:
    """Return a task that replaces itself by the signature in its argument."""
    return make_task(app, lambda self, sig, *_: self.replace(sig), name="swap", bind=True)


def value(canvas: Any) -> Any:
    """Return its value in a worker."""
    result = canvas.apply_async()
    drain(result.app)
    return result.get(timeout=0)


def phases(app: LiteQ) -> list[str]:
    return [each.phase.name for each in app.broker.listing(list(Phase), 1000)]


# values


def test_a_worker_comes_to_the_same_as_apply(add: Any, total: Any, same: Any) -> None:
    pairs = group(add.s(1, 1), add.s(2, 2))
    canvases = [
        add.s(1, 1) | add.s(2) | add.s(3),
        pairs,
        group(),
        chord(pairs, total.s()),
        chord(same.s(42), same.s()),
        chord([], same.s()),
        add.s(1, 1) | chord([], same.s()),
        add.s(1, 1) | group(add.s(1), add.s(2)),
        pairs | total.s() | add.s(1),
        pairs | group(same.s(), total.s()) | same.s(),
        group(same.s(1), same.s(2) | group(same.s(), add.s(1)), chord(pairs, total.s())) | same.s(),
        group(chord(pairs, group(same.s(), total.s())), same.s(0)) | same.s(),
        group(chord(pairs, group()), add.s(1)) | same.s(),
        chord(chord(pairs, total.s()), group(same.s(), same.s()) | same.s()),
        chord(pairs, chain(total.s(), add.s(1)) | group(add.s(1), add.s(2)) | total.s()),
        add.chunks(zip(range(5), range(5), strict=True), 2).group() | same.s(),
        add.starmap([(1, 2), (3, 4)]) | total.s(),
        chain(add.si(1, 1), add.si(2, 2)),
        pairs | add.si(5, 5),
    ]

    for canvas in canvases:
        assert value(canvas) == canvas.apply().get(), canvas


def test_arguments_of_the_call_go_to_what_runs_first(add: Any, total: Any) -> None:
    results = [
        (add.s(1) | add.s(2)).apply_async((4,)),
        (group(add.s(1), add.s(2)) | total.s()).apply_async((10,)),
    ]
    drain(add.app)

    assert [result.get(timeout=0) for result in results] == [7, 23]


def test_a_canvas_keeps_the_ids_it_was_frozen_with(add: Any, total: Any) -> None:
    canvas = chord([add.s(1, 1), add.s(2, 2)], total.s() | add.s(1))
    frozen = canvas.freeze("the-body")
    result = canvas.apply_async()
    drain(add.app)

    assert result.id == "the-body"
    assert result.parent.parent.id == frozen.parent.parent.id
    assert result.get(timeout=0) == 7


@pytest.mark.parametrize("kind", ["chain", "group", "chord", "chain of groups"])
def test_a_frozen_canvas_that_is_sent_again_is_another_run(
    kind: str, app: LiteQ, add: Any, total: Any, note: Any, calls: list[Any]
) -> None:
    kinds: dict[str, Callable[[], Any]] = {
        "chain": lambda: add.s(1, 1) | add.s(2),
        "group": lambda: group(add.s(1, 1), add.s(2, 2)),
        "chord": lambda: chord([add.s(1, 1), add.s(1, 1)], total.s()),
        "chain of groups": lambda: add.s(1) | group(add.s(1), add.s(2)) | group(total.s()),
    }
    canvas = kinds[kind]()
    callback = note.s()
    callback.freeze()
    canvas.link(callback)
    frozen = canvas.freeze()
    runs = [canvas.apply_async() for _ in range(3)]
    drain(app)
    values = [run.get(timeout=0) for run in runs]

    assert runs[0].id == frozen.id == canvas.id
    assert len({run.id for run in runs}) == 3
    assert len({leaf.id for run in runs for leaf in run.leaves()}) == 3 * len([*frozen.leaves()])
    assert values == [values[0]] * 3
    assert len(calls) == 3


def test_a_copy_of_a_canvas_that_was_sent_is_another_run_too(add: Any) -> None:
    canvas = add.s(1, 1) | add.s(2)
    canvas.freeze()
    sent = canvas.apply_async()

    assert canvas.clone().freeze().id != sent.id
    assert (canvas | add.s(1)).freeze().parent.id != sent.id
    assert canvas.freeze("mine").id == "mine"


def test_the_only_member_of_a_group_answers_its_list(add: Any, total: Any) -> None:
    alone = group(add.si(1, 1) | group(add.s(1), add.s(2)))

    for result in (alone.apply(), alone.apply_async(), (add.s(0, 0) | alone.clone()).apply_async()):
        drain(add.app)
        assert sorted(result.get(timeout=0)) == [3, 4]
        assert len(result.results) == 2
    assert value(chord(alone, add.s([]))) == [[3, 4]]


def test_a_signature_used_again_and_again_is_many_tasks(add: Any) -> None:
    step = add.s(1)

    assert value(chain(step for _ in range(42)).clone((0,))) == 42


def test_nine_chords_in_a_row(add: Any, total: Any) -> None:
    canvas: Any = add.s(1, 0)
    for _ in range(9):
        canvas = canvas | group(add.s(1), add.s(1)) | total.s()

    assert value(canvas) == canvas.apply().get()


def test_values_reach_the_tasks_that_wait_even_if_they_are_ignored(app: LiteQ, total: Any) -> None:
    quiet = make_task(app, lambda x=1: x + 1, name="quiet", ignore_result=True)

    assert value(quiet.s() | quiet.s() | group(quiet.s(), quiet.s()) | total.s()) == 8


def test_the_result_of_a_step_that_is_ignored_is_none_at_once(app: LiteQ, add: Any) -> None:
    quiet = make_task(app, lambda x=1: x + 1, name="quiet", ignore_result=True)
    result = (add.s(1) | quiet.s()).apply_async()

    assert result.get(timeout=0) is None
    drain(app)
    assert result.result is None
    assert app.AsyncResult(result.id).result is None


# what is stored


def test_a_group_for_which_nothing_waits_is_plain_tasks(app: LiteQ, add: Any) -> None:
    result = group(add.s(n, 0) for n in range(3)).apply_async()
    records = app.broker.fetch([each.id for each in result])

    assert [record.group for record in records if record] == [None] * 3
    drain(app)
    assert result.get(timeout=0) == [0, 1, 2]


def test_options_of_a_step_are_those_of_its_message(app: LiteQ, add: Any, total: Any) -> None:
    step = add.s(1).set(queue="other", priority=7, headers={"a": 1}, expires=60, serializer="json")
    result = (add.s(1) | step).apply_async()
    message = message_of(result)

    assert (message.queue, message.priority, message.serializer) == ("other", 7, "json")
    assert message.expires == app.broker.clock() + 60
    assert json.loads(message.options or "")["headers"] == {"a": 1}


def test_the_countdown_of_a_step_begins_when_the_one_before_has_ended(
    app: LiteQ, add: Any, clock: Any
) -> None:
    result = (add.s(1) | add.s(1).set(countdown=10)).apply_async()
    clock.advance(60)
    drain(app)
    assert not result.ready()
    clock.advance(10)
    drain(app)

    assert result.get(timeout=0) == 2


def test_settings_and_routes_are_for_steps_as_for_single_calls(app: LiteQ, add: Any) -> None:
    app.conf.update(task_routes={"add": "routed"}, task_default_priority=3)
    message = message_of((add.s(1) | add.s(2)).apply_async())

    assert (message.queue, message.priority) == ("routed", 3)


def test_stamps_travel(app: LiteQ, add: Any) -> None:
    stamps = make_task(app, lambda self, *_: self.request.stamps, name="stamps", bind=True)
    canvas = add.s(1) | stamps.s()
    canvas.stamp(colour="red")

    assert value(canvas) == {"colour": "red"}


def test_a_step_that_does_not_fit_is_refused_and_nothing_is_stored(app: LiteQ, add: Any) -> None:
    with pytest.raises(TypeError, match="add"):
        (add.s(1) | add.s(1, 2)).apply_async()

    assert phases(app) == []


def test_a_task_that_is_known_by_name_only_can_be_a_step(app: LiteQ, add: Any) -> None:
    result = (app.signature("elsewhere") | add.s(1)).apply_async()

    assert result.parent is not None
    assert message_of(result.parent).task == "elsewhere"


def test_many_calls_with_links_are_sent_in_one_go(app: LiteQ, add: Any, note: Any) -> None:
    results = app.enqueue_many([add.s(n).set(link=[note.s()]) for n in range(3)])

    assert phases(app).count("WAITING") == 3
    drain(app)
    assert [result.get(timeout=0) for result in results] == [0, 1, 2]


# where a task stands


def test_parent_and_root_of_the_steps_of_a_chain(where: Any) -> None:
    result = (where.s() | where.s() | where.s()).apply_async()
    drain(where.app)
    third = result.get(timeout=0)
    second, first = result.parent.get(timeout=0), result.parent.parent.get(timeout=0)

    assert (first[1], second[1], third[1]) == (None, first[0], second[0])
    assert {first[2], second[2], third[2]} == {first[0]}


def test_parent_and_root_around_a_group(where: Any) -> None:
    result = (where.s() | group(where.s(), where.s()) | where.s()).apply_async()
    drain(where.app)
    body, header = result.get(timeout=0), result.parent.get(timeout=0)
    first = result.parent.parent.get(timeout=0)

    assert [each[1] for each in header] == [first[0]] * 2
    assert body[1] == header[1][0]
    assert {each[2] for each in (first, *header, body)} == {first[0]}
    assert [each[3:] for each in header] == [(result.parent.id, 0), (result.parent.id, 1)]


def test_a_canvas_in_a_task_is_the_tasks_own(app: LiteQ, where: Any) -> None:
    def start(self: Any) -> Any:
        return self.request.id, (where.s() | where.s()).apply_async()

    id, result = value(make_task(app, start, name="start", bind=True).s())
    first = app.AsyncResult(result.get(timeout=0)[1]).get(timeout=0)

    assert first[1:3] == (id, id)
    assert result.get(timeout=0)[2] == id


# failures


def test_nothing_runs_after_a_step_that_fails_and_get_raises_its_error(
    add: Any, fail: Any, note: Any, calls: list[Any]
) -> None:
    result = (add.s(1, 1) | fail.s("no") | add.s(1) | note.s()).apply_async()
    drain(add.app)

    with pytest.raises(Oops, match="no"):
        result.get(timeout=0)
    assert calls == []


def test_a_header_that_fails_fails_the_body_once_all_have_ended(
    add: Any, fail: Any, total: Any
) -> None:
    result = chord([add.s(1), fail.s("a"), fail.s("b")], total.s()).apply_async()
    drain(add.app)

    with pytest.raises(Oops, match="a"):
        result.get(timeout=0)
    assert isinstance(result.result, ChordError)
    assert str(result.result) == f"Dependency {result.parent[1].id} raised Oops('a')"
    assert result.parent[0].get(timeout=0) == 1


def test_the_error_of_a_header_is_raised_before_the_others_have_ended(
    add: Any, fail: Any, total: Any
) -> None:
    result = chord([fail.s("a"), add.s(1)], total.s()).apply_async()
    drain(add.app, limit=1)

    with pytest.raises(Oops):
        result.get(timeout=5)


def test_failures_are_passed_on_with_on_error_continue(add: Any, fail: Any, same: Any) -> None:
    members = [add.s(1), fail.s("a"), fail.s("b") | add.s(1), add.s(2)]
    for canvas in (
        chord(members, same.s(), on_error="continue"),
        group(members, on_error="continue") | same.s(),
    ):
        one, a, b, two = value(canvas)
        assert (one, two) == (1, 2)
        assert (type(a), a.args, type(b), b.args) == (Oops, ("a",), Oops, ("b",))
        assert [type(each) for each in canvas.apply().get()] == [int, Oops, Oops, int]


def test_an_unknown_policy_is_refused(add: Any) -> None:
    with pytest.raises(InvalidTaskError, match="continue"):
        chord([add.s(1)], add.s(), on_error="ignore").apply_async()


def test_a_chain_ends_with_a_task_that_raises_ignore(
    app: LiteQ, add: Any, note: Any, calls: list[Any]
) -> None:
    def leave() -> None:
        raise Ignore

    leave = make_task(app, leave, name="leave")
    result = (leave.s().on_error(note.s()) | add.s(1)).apply_async()
    drain(app)

    with pytest.raises(TaskRevokedError):
        result.get(timeout=0)
    assert calls == []


def test_a_member_that_raises_ignore_is_none_among_the_values(app: LiteQ, same: Any) -> None:
    def leave() -> None:
        raise Ignore

    assert value(chord([make_task(app, leave, name="leave").s(), same.s(1)], same.s())) == [None, 1]


def pending(app: LiteQ) -> list[str]:
    """Return the ids of the tasks that have not ended."""
    unfinished = [phase for phase in Phase if not phase.final]
    return [each.message.id for each in app.broker.listing(unfinished, 1000)]


def test_a_workflow_is_revoked_by_the_id_of_its_end(
    app: LiteQ, add: Any, same: Any, total: Any
) -> None:
    inner = chord([add.s(1, 1), add.s(1) | same.s()], total.s())
    shapes: list[Any] = [
        chain(add.s(1, 1), add.s(1), add.s(1)),
        chord([add.s(1, 1), same.s(1) | add.s(1), group(same.s(1), same.s(1))], same.s()),
        chord([inner, same.s(1) | group(same.s(), same.s())], same.s() | same.s()),
        group(same.s(1), same.s(2)) | group(same.s(), same.s()) | same.s(),
    ]
    for canvas in shapes:
        app.AsyncResult(canvas.apply_async().id).revoke()
        assert pending(app) == [], canvas


def test_a_workflow_is_revoked_by_the_id_of_the_group_that_it_ends_in(
    app: LiteQ, add: Any, same: Any
) -> None:
    shapes: list[Any] = [
        chain(same.s(1), group(same.s(), same.s())),
        group(add.s(1, 1), add.s(1, 1) | same.s()),
        chord([same.s(1), same.s(2)], group(same.s(), same.s() | same.s())),
    ]
    other = [add.delay(1, 1).id, group(same.s(1)).apply_async().results[0].id]
    for canvas in shapes:
        for revoke in (
            lambda id: app.AsyncResult(id).revoke(),
            lambda id: GroupResult(id, app=app).revoke(),
            lambda id: app.control.revoke(id, workflow=True),
        ):
            revoke(canvas.apply_async().id)
            assert pending(app) == other, canvas


def test_a_chord_is_revoked_by_the_id_of_its_header_and_a_group_that_was_saved_by_its_own(
    app: LiteQ, same: Any
) -> None:
    header = chord([same.s(1), same.s(2)], same.s()).apply_async().parent
    app.AsyncResult(header.id).revoke()
    assert pending(app) == []

    saved = group(same.s(1), same.s(2)).apply_async()
    saved.save()
    app.AsyncResult(saved.id).revoke()
    assert pending(app) == []


def test_revoking_by_id_keeps_to_what_comes_before(app: LiteQ, add: Any) -> None:
    other = add.delay(1, 1)
    result = chain(add.s(1, 1), add.s(1), add.s(1)).apply_async()
    first, middle = result.parent.parent, result.parent

    assert app.control.revoke(result.id) == [result.id]
    assert pending(app) == [other.id, first.id, middle.id]
    assert app.control.revoke(result.id, workflow=True) == [first.id, middle.id]
    assert pending(app) == [other.id]
    assert app.control.revoke("unknown", workflow=True) == []


def test_revoking_the_result_of_a_chain_revokes_what_waits(app: LiteQ, add: Any) -> None:
    result = (add.s(1) | group(add.s(1), add.s(2)) | add.si(3) | add.s(4)).apply_async()
    drain(app, limit=1)
    result.revoke()

    assert phases(app) == ["SUCCEEDED", *["CANCELLED"] * 4]


# links


def test_a_callback_gets_the_value_and_may_be_any_canvas(
    add: Any, note: Any, same: Any, calls: list[Any]
) -> None:
    canvas = chord([same.s(), add.s(1)], note.s())
    add.apply_async((1, 1), link=[note.s(), add.s(3) | note.s(), canvas, dict(note.s())])
    drain(add.app)

    assert sorted(calls, key=str) == [2, 2, 5, [2, 3]]


def test_a_call_takes_tasks_as_links_and_refuses_names(
    app: LiteQ, add: Any, fail: Any, note: Any, calls: list[Any]
) -> None:
    add.apply_async((1, 1), link=note)
    failed = fail.apply_async(link_error=[note])
    drain(app)

    assert calls == [2, failed.id]
    for call in (add.si(1, 1), add.si(1, 1) | add.s(1), group(add.si(1, 1))):
        for send in (call.apply_async, call.apply):
            with pytest.raises(TypeError, match="a link is made of signatures"):
                send(link="note")
    assert len(phases(app)) == 4  # nothing more


def test_the_callback_of_a_step_that_fails_is_not_called(
    fail: Any, note: Any, calls: list[Any]
) -> None:
    fail.apply_async(link=note.s())
    drain(fail.app)

    assert calls == []


def test_an_errback_gets_the_id_or_the_request_with_the_error(
    fail: Any, note: Any, full_errback: Any, calls: list[Any]
) -> None:
    result = fail.apply_async(
        ("no",), link_error=[note.s(), full_errback.s("more"), note.si("own")]
    )
    drain(fail.app)

    assert calls[0] == result.id
    (id, args, exc, traceback, more) = calls[1]
    assert (id, list(args), type(exc), exc.args, more) == (
        result.id,
        ["no"],
        Oops,
        ("no",),
        "more",
    )
    assert "raise Oops" in traceback
    assert calls[2] == "own"


def test_an_errback_comes_after_what_failed(app: LiteQ, fail: Any, calls: list[Any]) -> None:
    def errback(self: Any, id: str) -> None:
        calls.append((id, self.request.parent_id, self.request.root_id))

    task = make_task(app, errback, name="errback", bind=True)
    body = fail.si().on_error(task.s())
    result = chord([fail.s(), fail.s()], body).apply_async()
    drain(app)

    assert calls == [(result.id, result.id, result.parent[0].id)]


def test_an_errback_may_be_any_canvas(
    fail: Any, add: Any, same: Any, note: Any, calls: list[Any]
) -> None:
    errbacks = [same.s() | note.s(), chord([same.s(), same.s()], note.s())]
    results = [fail.apply_async(link_error=errbacks), add.apply_async((1,), link_error=errbacks)]
    drain(fail.app)

    assert sorted(calls, key=str) == sorted([results[0].id, [results[0].id] * 2], key=str)


def test_an_errback_is_called_for_a_revoked_task(
    app: LiteQ, add: Any, full_errback: Any, calls: list[Any]
) -> None:
    add.apply_async((1,), link_error=full_errback.s()).revoke()
    drain(app)

    assert [type(call[2]) for call in calls] == [TaskRevokedError]


def test_only_the_step_that_fails_calls_the_errback_of_its_chain(
    add: Any, fail: Any, note: Any, calls: list[Any]
) -> None:
    canvas = add.s(1, 1) | fail.s() | add.s(1)
    canvas.link_error(note.s())
    result = canvas.apply_async()
    drain(add.app)

    assert calls == [result.parent.id]


def test_the_errback_of_a_group_is_called_for_each_member_that_fails(
    add: Any, fail: Any, note: Any, calls: list[Any]
) -> None:
    canvas = group([fail.s() for _ in range(42)] + [add.s(1)])
    canvas.link_error(note.s())
    result = canvas.apply_async()
    drain(add.app)

    assert sorted(calls) == sorted(each.id for each in result.results[:42])


Body = Callable[[Any, Any], Any]
BODIES: dict[str, tuple[Body, int]] = {
    "task": (lambda add, total: total.s(), 1),
    "chain": (lambda add, total: total.s() | add.s(1) | add.s(2), 1),
    "group": (lambda add, total: group(total.s(), total.s() | add.s(1)), 2),
    "chord": (lambda add, total: chord([total.s(), total.s()], total.s()), 1),
}


@pytest.mark.parametrize("kind", BODIES)
def test_the_errback_of_a_body_is_called_once_when_the_header_fails(
    kind: str, add: Any, fail: Any, total: Any, note: Any, calls: list[Any]
) -> None:
    make, times = BODIES[kind]
    canvas = chord([fail.s(), add.s(1), fail.s()], make(add, total))
    canvas.link_error(note.s())
    result = canvas.apply_async()
    drain(add.app)

    assert sorted(calls) == sorted(leaf.id for leaf in result.leaves())
    assert len(calls) == times


def test_the_errback_of_a_body_that_fails_itself_is_called_once(
    add: Any, fail: Any, note: Any, calls: list[Any]
) -> None:
    canvas = chord([add.s(1), add.s(2)], fail.s() | add.s(1))
    canvas.link_error(note.s())
    result = canvas.apply_async()
    drain(add.app)

    assert calls == [result.parent.id]


def test_with_the_setting_it_is_called_for_the_header_as_well(
    app: LiteQ, add: Any, fail: Any, total: Any, calls: list[Any]
) -> None:
    app.conf.task_allow_error_cb_on_chord_header = True
    mark = make_task(app, lambda *_: calls.append(1), name="mark")
    canvas = chord([fail.s(), add.s(1), fail.s()], total.s())
    canvas.link_error(mark.si())
    canvas.apply_async()
    drain(app)

    assert len(calls) == 3


# being replaced


@pytest.mark.parametrize("how", ["raise", "return"])
def test_a_replacement_runs_under_the_tasks_id(app: LiteQ, where: Any, how: str) -> None:
    def swap(self: Any) -> Any:
        if how == "raise":
            raise self.replace(where.s())
        return self.replace(where.s())

    result = make_task(app, swap, name="swap", bind=True).apply_async()
    drain(app)

    assert result.get(timeout=0)[:3] == (result.id, None, result.id)


def test_any_canvas_may_replace_a_task(swap: Any, add: Any, total: Any, same: Any) -> None:
    pair = group(add.s(1, 1), add.s(2, 2))
    for sig, expected in [
        (add.s(1, 1), 2),
        (add.s(1, 1) | add.s(2), 4),
        (pair, [2, 4]),
        (pair | total.s(), 6),
        (add.s(1, 1) | group(add.s(1), add.s(2)), [3, 4]),
        (group(), []),
        (pair | group(total.s(), same.s()), [6, [2, 4]]),
    ]:
        assert value(swap.s(sig)) == expected, sig


def test_replaced_tasks_keep_their_place_in_any_canvas(
    swap: Any, add: Any, same: Any, total: Any
) -> None:
    sig = swap.si(group(add.si(1, 1), add.si(2, 2)) | total.s())
    for canvas in (
        sig | add.s(1),
        add.s(0) | sig | add.s(1),
        group(same.s(0), sig, same.s(1)) | same.s(),
        chord([same.s(1)], sig | add.s(1)),
        chord([swap.si(group(same.si(n), same.si(n))) for n in range(20)], same.s()),
        swap.si(swap.si(same.si(1) | add.s(1)) | add.s(1)) | add.s(1),
    ):
        assert value(canvas) == canvas.apply().get(), canvas


def test_links_of_the_task_and_of_its_replacement_are_both_called_once(
    swap: Any, add: Any, note: Any, calls: list[Any]
) -> None:
    sig = add.s(1, 1) | add.s(2).set(link=[note.s()])
    swap.apply_async((sig,), link=note.s())
    drain(add.app)

    assert calls == [4, 4]


def test_the_failure_of_a_replacement_is_the_tasks_own(
    swap: Any, add: Any, fail: Any, note: Any, calls: list[Any]
) -> None:
    result = (swap.si(fail.s("no")).on_error(note.s()) | add.s(1)).apply_async()
    drain(add.app)

    with pytest.raises(Oops):
        result.get(timeout=0)
    assert calls == [result.parent.id]


def test_a_task_cannot_be_replaced_by_an_empty_chain(swap: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="empty chain"):
        value(swap.s(chain()))


def test_a_task_knows_how_often_it_was_replaced(app: LiteQ, swap: Any) -> None:
    nesting = make_task(
        app,
        lambda self, *_: (
            self.request.replaced_task_nesting,
            self.request.delivery_info["redelivered"],
        ),
        name="nesting",
        bind=True,
    )

    assert value(nesting.s()) == (0, False)
    assert value(swap.s(nesting.s())) == (1, False)
    assert value(swap.s(swap.si(nesting.s()))) == (2, False)
    assert value(swap.s(nesting.s() | nesting.s())) == (1, False)


def test_a_body_that_is_replaced_no_longer_waits_for_the_header(
    app: LiteQ, swap: Any, add: Any, clock: Any
) -> None:
    value(chord([add.s(1), add.s(2)], swap.si(add.si(1, 1) | add.s(1))))
    clock.advance(1e9)

    assert app.broker.sweep(100) == 4


# joining


def test_a_task_of_a_header_can_add_others_to_it(app: LiteQ, add: Any, same: Any) -> None:
    def more(self: Any, *numbers: int) -> str:
        for n in numbers:
            self.add_to_chord(add.s(n, 1) if n % 2 else add.s(n, 1) | add.s(1))
        return "first"

    task = make_task(app, more, name="more", bind=True)

    assert value(chord([task.s(1, 2, 3), same.s("second")], same.s())) == [
        "first",
        "second",
        2,
        4,
        4,
    ]


def test_only_a_task_of_a_header_can(app: LiteQ, add: Any) -> None:
    task = make_task(app, lambda self: self.add_to_chord(add.s(1)), name="more", bind=True)

    with pytest.raises(ValueError, match="chord"):
        value(task.s())


# size


def test_a_thousand_steps(tmp_path: Any) -> None:
    with LiteQ("deep", broker=f"sqlite:///{tmp_path}/deep.db?durability=fast") as app:
        add = make_task(app, lambda x, y: x + y, name="add")

        assert value(chain([add.s(0, 0)] + [add.s(1)] * 1000)) == 1000


def test_groups_of_25_ten_levels_deep(tmp_path: Any) -> None:
    with LiteQ("wide", broker=f"sqlite:///{tmp_path}/wide.db?durability=fast") as app:
        length = make_task(app, len, name="len")
        canvas: Any = group(length.s([0] * 3) for _ in range(25))
        for _ in range(9):
            canvas = canvas | group(length.s() for _ in range(25))

        assert value(canvas) == [25] * 25
        assert max(len(m.payload) + len(m.options or "") for m in messages(app)) < 128 * 1024


def messages(app: LiteQ) -> list[Any]:
    return [each.message for each in app.broker.listing(list(Phase), 10_000)]


def test_a_step_that_is_tried_again_with_other_arguments_takes_nothing_twice(
    app: LiteQ, add: Any
) -> None:
    def pair(self: Any, x: int, y: int = 0) -> tuple[int, int]:
        if self.request.retries < 2:
            raise self.retry(args=(x, y + 1), countdown=0)
        return x, y

    step = make_task(app, pair, name="pair", bind=True)

    assert value(add.s(1, 2) | step.s(5)) == (3, 7)


# looking at them afterwards


def test_the_children_of_a_result_are_what_its_end_started(
    app: LiteQ, add: Any, total: Any, note: Any
) -> None:
    result = (add.s(1, 1) | group(add.s(1), add.s(2)) | total.s()).apply_async(link=note.s())
    first = app.AsyncResult(result.parent.parent.id)
    assert first.children == []
    drain(app)

    (header,) = first.children
    assert (header.id, header.results) == (result.parent.id, result.parent.results)
    assert [value for _, value in first.collect()] == [2, [3, 4], 3, 4, 7, None]
    assert first.get_leaf() is None
    assert result.children[0].name == "note"


def test_errbacks_are_no_children(app: LiteQ, fail: Any, note: Any) -> None:
    result = fail.apply_async(link_error=note.s())
    drain(app)

    assert result.children == []


def test_a_group_can_be_saved_and_restored(app: LiteQ, add: Any) -> None:
    result = (add.s(1) | group(add.s(1), add.s(2) | group(add.s(3), add.s(4)))).apply_async()
    assert GroupResult.restore(result.id, app=app) is None
    result.save()
    drain(app)
    GroupResult.save(result)
    drain(app)

    again = GroupResult.restore(result.id, app=app)
    assert again == result
    assert again.get(timeout=0) == [2, [6, 7]]
    again.delete()
    assert GroupResult.restore(result.id, app=app) is None


def test_an_empty_group_can_be_restored(app: LiteQ) -> None:
    result = group().apply_async()
    result.save()

    restored = GroupResult.restore(result.id, app=app)
    assert restored is not None
    assert restored.results == []


# what the members of a group have in common


@pytest.fixture
def tell(app: LiteQ) -> Any:
    """Return a task that returns all that its request says of its workflow."""

    def tell(self: Any, *args: Any) -> dict[str, Any]:
        names = ("group", "group_index", "chord", "root_id", "parent_id", "stamps")
        return {name: getattr(self.request, name) for name in names}

    return app.task(name="tell", bind=True)(tell)


def options_stored(app: LiteQ, task: str) -> list[str | None]:
    """Return the options that each task of this name was stored with, in order of sending."""
    found = [each.message for each in app.broker.listing(list(Phase), 1000)]
    return [message.options for message in found if message.task == task]


def test_members_of_a_chord_store_no_options_and_know_them_all_the_same(
    app: LiteQ, tell: Any, same: Any
) -> None:
    result = chord([tell.s(), tell.s(1), same.s(0) | tell.s()], same.s()).apply_async()
    assert options_stored(app, "tell") == [None] * 3
    drain(app)

    first = result.parent.results[0].id
    told = result.get(timeout=0)
    assert [each["group_index"] for each in told] == [0, 1, 2]
    for each in told:
        assert (each["group"], each["chord"], each["root_id"]) == (
            result.parent.id,
            result.id,
            first,
        )
    assert [each["parent_id"] for each in told[:2]] == [None, None]


def test_members_keep_the_options_that_are_theirs(app: LiteQ, tell: Any, same: Any) -> None:
    stamped = tell.s().stamp(by="me")
    result = chord([stamped, tell.s().set(shadow="other"), tell.s()], same.s()).apply_async()
    own = [json.loads(each) if each else None for each in options_stored(app, "tell")]
    drain(app)

    assert own == [
        {"stamped_headers": ["by"], "stamps": {"by": "me"}},
        {"shadow": "other"},
        None,
    ]
    told = result.get(timeout=0)
    assert [each["stamps"] for each in told] == [{"by": "me"}, None, None]
    assert [each["chord"] for each in told] == [result.id] * 3


def test_a_chord_that_a_task_sends_descends_from_that_task(
    app: LiteQ, tell: Any, same: Any
) -> None:
    @app.task(name="sender", bind=True)
    def sender(self: Any) -> Any:
        return chord([tell.s(), tell.s()], same.s()).apply_async().id

    sent = sender.delay()
    drain(app)

    told = app.AsyncResult(sent.get(timeout=0)).get(timeout=0)
    assert [(each["root_id"], each["parent_id"]) for each in told] == [(sent.id, sent.id)] * 2


def test_members_that_replace_themselves_stay_in_their_group(
    app: LiteQ, tell: Any, swap: Any, same: Any
) -> None:
    result = chord([swap.s(tell.s() | same.s()), swap.s(tell.s())], same.s()).apply_async()
    drain(app)

    first, second = result.get(timeout=0)
    assert (first["group"], first["root_id"]) == (None, result.parent.results[0].id)
    assert (second["group"], second["group_index"]) == (result.parent.id, 1)
    assert second["chord"] == result.id


def test_receivers_of_signals_see_the_options_of_each_member(
    app: LiteQ, tell: Any, same: Any
) -> None:
    roots = []

    def receive(headers: dict[str, Any], **_: Any) -> None:
        roots.append(headers["root_id"])

    before_task_publish.connect(receive)
    try:
        result = chord([tell.s(), tell.s()], same.s()).apply_async()
    finally:
        before_task_publish.disconnect(receive)

    assert roots == [result.parent.results[0].id] * 3


def test_a_wrong_argument_of_a_member_is_an_error_where_it_is_sent(add: Any, total: Any) -> None:
    with pytest.raises(TypeError, match="add"):
        chord([add.s(1, 1), add.s(1, 2, 3)], total.s()).apply_async()
