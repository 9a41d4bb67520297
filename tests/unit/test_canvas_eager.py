"""Canvases that run eagerly: as a worker would run them, and at once."""

from collections.abc import Callable
from typing import Any

import pytest

from liteq import LiteQ, chain, chord, group
from liteq.exceptions import ChordError, Ignore, ImproperlyConfigured, TaskRevokedError
from liteq.result import EagerResult, GroupResult

from .conftest import Oops, make_task

# chains, groups, chords


def test_each_step_gets_the_value_of_the_one_before(add: Any) -> None:
    result = (add.s(1, 2) | add.s(3) | add.si(5, 5) | add.s(1)).apply()

    assert result.get() == 11
    assert [node.get() for node in (*result.ancestors(), result)] == [3, 6, 10, 11]


def test_arguments_of_the_call_go_to_what_runs_first(add: Any, total: Any) -> None:
    assert (add.s(1) | add.s(2)).apply((3,)).get() == 6
    assert (add.s() | add.s(2)).apply((), {"x": 1, "y": 1}).get() == 4
    assert group(add.s(1), add.s(2)).apply((3,)).get() == [4, 5]
    assert chord([add.s(1), add.s(2)], total.s()).apply((3,)).get() == 9
    assert chain(chain(add.s(1))).apply((3,)).get() == 4


def test_a_group_returns_the_list_of_values(add: Any) -> None:
    result = group(add.s(n, n) for n in range(1000)).apply()

    assert isinstance(result, GroupResult)
    assert result.get() == [2 * n for n in range(1000)]
    assert (result.successful(), result.completed_count()) == (True, 1000)


def test_the_empty_group_returns_an_empty_list(app: LiteQ) -> None:
    assert group(app=app).apply().get() == []


def test_the_body_of_a_chord_gets_the_values_in_the_order_of_the_header(
    add: Any, same: Any
) -> None:
    result = chord([add.s(n, 0) for n in range(42)], same.s()).apply()

    assert result.get() == list(range(42))
    assert result.parent.get() == list(range(42))


def test_a_single_signature_as_header_gives_a_list_of_one(same: Any) -> None:
    assert chord(same.s(42), same.s()).apply().get() == [42]


def test_a_chord_without_members_runs_its_body_with_an_empty_list(same: Any) -> None:
    assert chord([], same.s()).apply().get() == []
    assert (group(app=same.app) | same.s()).apply().get() == []


def test_a_member_that_ends_in_a_group_gives_a_list_of_its_own(add: Any, same: Any) -> None:
    nested = group(add.s(1), add.s(2), add.s(3) | group(add.s(0), add.s(1)))

    assert nested.apply((0,)).get() == [1, 2, [3, 4]]
    assert (nested | same.s()).apply((0,)).get() == [1, 2, [3, 4]]


def test_canvases_nest_in_any_mixture(add: Any, same: Any, total: Any) -> None:
    sig = chain(
        add.s(1, 1),
        group(add.s(1), chord([add.s(2), add.s(3)], total.s()), add.s(4) | add.s(5)),
        total.s(),
        group(add.s(1), add.s(2)),
        group(same.s(), same.s()),
        same.s(),
    )

    assert sig.apply().get() == [[24, 25], [24, 25]]


def test_nine_chords_in_a_row(add: Any, total: Any) -> None:
    sig = add.s(1, 0)
    for _ in range(9):
        sig |= chord([add.s(0), add.s(0)], total.s())

    assert sig.apply().get() == 2**9


def test_a_thousand_steps(add: Any) -> None:
    assert chain(add.s(0, 0), *(add.s(1) for _ in range(1000))).apply().get() == 1000


def test_groups_of_25_ten_levels_deep(same: Any, add: Any) -> None:
    value = chain(*(group(add.si(1, n) for n in range(25)) for _ in range(10))).apply().get()

    assert value == list(range(1, 26))


def test_map_starmap_and_chunks(add: Any, total: Any) -> None:
    assert total.map([[1, 2], [3]]).apply().get() == [3, 3]
    assert add.starmap([(1, 2), (3, 4)]).apply().get() == [3, 7]
    assert add.chunks(zip(range(5), range(5), strict=True), 2).apply().get() == [
        [0, 2],
        [4, 6],
        [8],
    ]
    assert (add.si(1, 1) | add.starmap([(1, 2)]) | total.s()).apply().get() == 3
    assert group(total.map([[1]]), total.map([[2]])).apply().get() == [[1], [2]]


def test_a_canvas_keeps_the_ids_it_was_frozen_with(add: Any, total: Any) -> None:
    sig = chord([add.s(1, 1), add.s(2, 2)], total.s())
    frozen = sig.freeze()

    result = sig.apply()

    assert (result.id, result.parent.id) == (frozen.id, frozen.parent.id)
    assert result.parent.results == frozen.parent.results
    assert sig.apply().id == frozen.id
    assert (add.s(1, 1) | add.s(1)).apply(task_id="mine").id == "mine"


def test_the_settings_can_have_every_canvas_run_at_once(app: LiteQ, add: Any, total: Any) -> None:
    app.conf.task_always_eager = True

    assert (add.s(1, 1) | add.s(1))().get() == 3
    assert group(add.s(1, 1), add.s(2, 2)).delay().get() == [2, 4]
    assert chord([add.s(1, 1), add.s(2, 2)])(total.s()).get() == 6
    assert add.chunks([(1, 1), (2, 2)], 1)().get() == [[2], [4]]
    assert ~(add.s(1, 1) | add.s(1)) == 3
    assert add.apply_async((1, 1), link=add.s(3)).children[0].get() == 5


# where a task stands


def test_parent_and_root_of_the_steps_of_a_chain(where: Any) -> None:
    result = (where.si() | where.si() | where.si()).apply()
    a, b, c = [node.get() for node in (*result.ancestors(), result)]

    assert a == (a[0], None, a[0], None, None)
    assert b[:3] == (b[0], a[0], a[0])
    assert c[:3] == (c[0], b[0], a[0])


def test_parent_and_root_around_a_group(where: Any) -> None:
    result = chain(where.si(), group(where.si(), where.si()), where.si()).apply()
    members = result.parent
    a, (b, c), d = result.parent.parent.get(), members.get(), result.get()

    assert b == (b[0], a[0], a[0], members.id, 0)
    assert c == (c[0], a[0], a[0], members.id, 1)
    assert d == (d[0], c[0], a[0], None, None)


def test_a_canvas_in_a_task_is_the_tasks_own(app: LiteQ, where: Any) -> None:
    outer = make_task(app, lambda self: (where.si() | where.si()).apply().get(), bind=True)

    _, parent, root, *_ = outer.apply(task_id="outer").get()

    assert root == "outer"
    assert parent != "outer"


def test_what_a_task_calls_is_among_its_children(app: LiteQ, add: Any) -> None:
    app.conf.task_always_eager = True

    def start() -> None:
        add.delay(1, 1)
        (add.s(1, 2) | add.s(1)).delay()
        add.apply_async((5, 5), add_to_parent=False)

    result = make_task(app, start, name="start").delay()

    assert [child.get() for child in result.children] == [2, 3]
    assert [value for _, value in result.collect()] == [None, 2, 3, 4]


def test_the_results_of_a_chain_are_parents_and_children(add: Any, total: Any) -> None:
    result = chain(add.s(1, 1), group(add.s(1), add.s(2)), total.s()).apply()
    first = result.parent.parent

    assert [value for _, value in first.collect()] == [2, [3, 4], 3, 4, 7]
    assert first.get_leaf() == 7


# failing


def test_a_step_that_fails_ends_the_chain(add: Any, fail: Any) -> None:
    result = (add.s(1, 1) | fail.s() | add.s(1) | add.s(1)).apply()
    states = [node.state for node in (*result.ancestors(), result)]

    assert states == ["SUCCESS", "FAILURE", "FAILURE", "FAILURE"]
    assert isinstance(result.get(propagate=False), Oops)
    for options in ({}, {"follow_parents": False}):
        with pytest.raises(Oops):
            result.get(**options)


def test_a_chain_ends_with_a_task_that_raises_ignore(app: LiteQ, add: Any) -> None:
    def ignore() -> None:
        raise Ignore

    result = (make_task(app, ignore, name="ignore").s() | add.s(1)).apply()

    assert (result.parent.state, result.state) == ("SUCCESS", "REVOKED")
    with pytest.raises(TaskRevokedError):
        result.get()


def test_a_header_that_fails_fails_the_body_and_get_raises_the_tasks_own(
    add: Any, fail: Any, total: Any
) -> None:
    result = chord([add.s(1, 1), fail.s("no"), add.s(2, 2)], total.s()).apply()
    wrong = result.parent.results[1]

    assert result.state == "FAILURE"
    assert isinstance(result.result, ChordError)
    assert str(result.result) == f"Dependency {wrong.id} raised Oops('no')"
    assert [member.state for member in result.parent] == ["SUCCESS", "FAILURE", "SUCCESS"]
    with pytest.raises(Oops, match="no"):
        result.get()


@pytest.mark.parametrize("kind", ["chain", "group", "chord"])
def test_a_body_of_any_kind_fails_with_its_header(
    add: Any, fail: Any, total: Any, kind: str
) -> None:
    body = {
        "chain": add.si(1, 1) | add.s(1),
        "group": group(add.si(1, 1), add.si(2, 2)),
        "chord": chord([add.si(1, 1)], total.s()),
    }[kind]
    result = chord([fail.s(), add.s(1, 1)], body).apply()

    assert {leaf.state for leaf in result.leaves()} == {"FAILURE"}
    with pytest.raises(Oops):
        result.get()


def test_a_chain_in_a_header_that_fails_early_fails_the_body(
    add: Any, fail: Any, total: Any
) -> None:
    result = chord([fail.s() | add.s(1), add.s(1, 1)], total.s()).apply()

    assert isinstance(result.result, ChordError)


def test_a_chord_in_a_header_that_fails_fails_the_outer_body(
    fail: Any, add: Any, total: Any
) -> None:
    result = chord([chord([fail.s()], total.s()), add.s(1, 1)], total.s()).apply()

    with pytest.raises(Oops):
        result.get()


def test_errors_are_raised_where_that_is_asked_for(app: LiteQ, fail: Any, add: Any) -> None:
    sig = fail.s() | add.s(1)

    with pytest.raises(Oops):
        sig.apply(throw=True)
    app.conf.task_eager_propagates = True
    with pytest.raises(Oops):
        sig.apply()
    assert sig.apply(throw=False).parent.failed()


# links


@pytest.fixture
def note(app: LiteQ, calls: list[Any]) -> Any:
    """Return a callback, which is also an errback that gets the id."""
    return app.task(name="note")(lambda *args: calls.append(args))


@pytest.fixture
def errback(app: LiteQ, calls: list[Any]) -> Any:
    """Return an errback that gets the id of the task that failed."""
    return app.task(name="errback")(calls.append)


def test_a_callback_gets_the_value_and_is_a_child(add: Any) -> None:
    result = add.apply((2, 2), link=[add.s(16), add.s(1)])

    assert [child.get() for child in result.children] == [20, 5]
    assert [node for _, node in result.iterdeps()] == [result, *result.children]


def test_a_callback_may_be_a_canvas_or_a_dict(add: Any, total: Any) -> None:
    plain: Any = dict(add.s(1))

    assert add.apply((2, 2), link=plain).children[0].get() == 5
    assert add.apply((2, 2), link=chord([add.s(1), add.s(2)], total.s())).get_leaf() == 11


def test_the_callback_of_a_step_that_fails_is_not_called(fail: Any, note: Any, calls: Any) -> None:
    fail.apply(link=note.s())

    assert calls == []


def test_an_errback_with_one_argument_gets_the_id(fail: Any, errback: Any, calls: Any) -> None:
    result = fail.apply(link_error=errback.s())

    assert calls == [result.id]
    assert isinstance(result.get(propagate=False), Oops)


def test_an_errback_with_more_gets_request_exception_and_traceback(
    app: LiteQ, fail: Any, calls: Any
) -> None:
    def errback(request: Any, exc: Any, traceback: Any, label: str = "") -> None:
        calls.append((request.id, type(exc), traceback is not None, label))

    task = make_task(app, errback, name="errback")
    ids = [fail.apply(link_error=e).id for e in (task.s(), task.s(label="x"))]

    assert calls == [(ids[0], Oops, True, ""), (ids[1], Oops, True, "x")]


def test_arguments_that_an_errback_has_already_count(app: LiteQ, fail: Any, calls: Any) -> None:
    task = make_task(app, lambda id, label: calls.append((id, label)), name="errback")
    ids = [fail.apply(link_error=e).id for e in (task.s("x"), task.s(label="x"))]

    assert calls == [(ids[0], "x"), (ids[1], "x")]


def test_a_bound_errback_gets_the_id_and_its_parent_is_what_failed(
    app: LiteQ, fail: Any, calls: Any
) -> None:
    def errback(self: Any, id: str, more: int = 0) -> None:
        calls.append((id, self.request.parent_id))
        if not self.request.retries:
            raise self.retry(countdown=0)

    result = fail.apply(link_error=make_task(app, errback, name="errback", bind=True).s())

    assert calls == [(result.id, result.id)] * 2


def test_an_immutable_errback_gets_its_own_arguments_only(fail: Any, note: Any, calls: Any) -> None:
    fail.apply(link_error=note.si("mine"))

    assert calls == [("mine",)]


@pytest.mark.parametrize("arguments", ["id", "request, exc, traceback"])
def test_an_errback_that_fails_is_logged(
    app: LiteQ, fail: Any, arguments: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken: Callable[..., Any] = eval(f"lambda {arguments}: 1 / 0")

    result = fail.apply(link_error=make_task(app, broken, name="broken").s())

    assert result.failed()
    assert ("errback" in caplog.text) == (arguments != "id")


def test_an_errback_that_is_not_registered_is_logged(
    app: LiteQ, fail: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert fail.apply(link_error=app.signature("nowhere")).failed()
    assert "nowhere" in caplog.text


def test_only_the_step_that_fails_calls_the_errback_of_its_chain(
    add: Any, fail: Any, errback: Any, calls: Any
) -> None:
    sig = chain(add.s(1, 1), *(fail.s() for _ in range(42)))
    sig.link_error(errback.s())

    result = sig.apply()

    assert calls == [result.ancestors()[1].id]


def test_the_callback_of_a_chain_is_called_once_with_its_last_value(
    add: Any, note: Any, calls: Any
) -> None:
    (add.s(1, 1) | add.s(1)).apply(link=note.s())

    assert calls == [(3,)]


def test_the_errback_of_a_group_is_called_for_each_member_that_fails(
    add: Any, fail: Any, errback: Any, calls: Any
) -> None:
    sig = group(add.s(1, 1), *(fail.s() for _ in range(42)))
    sig.link_error(errback.s())

    assert calls == [] != sig.apply().results[1:] == calls


def test_the_errback_of_a_chord_is_called_once_with_the_id_of_the_body(
    fail: Any, total: Any, errback: Any, calls: Any
) -> None:
    sig = chord([fail.s() for _ in range(42)], total.s())
    sig.link_error(errback.s())

    assert calls == [] != [sig.body.freeze().id] == [sig.apply().id] == calls


def test_with_the_setting_it_is_called_for_the_header_as_well(
    app: LiteQ, fail: Any, total: Any, calls: Any
) -> None:
    app.conf.task_allow_error_cb_on_chord_header = True
    sig = chain(group(fail.s(), fail.s()), total.s())
    sig.link_error(make_task(app, lambda id=None: calls.append(id), name="errback").s())

    body = sig.apply().id

    assert calls == [None, None, body]


def test_the_errback_of_a_body_that_fails_itself_is_called_once(
    add: Any, fail: Any, errback: Any, calls: Any
) -> None:
    body = (add.si(1, 1) | fail.s() | add.s(1)).on_error(errback.s())
    result = chord([add.s(1, 1)], body).apply()

    assert calls == [result.parent.id]


def test_the_errback_of_an_outer_chord_is_called_once_when_an_inner_one_fails(
    fail: Any, total: Any, errback: Any, calls: Any
) -> None:
    result = chord([chord([fail.s()], total.s())], total.s().on_error(errback.s())).apply()

    assert calls == [result.id]


# being replaced


@pytest.fixture
def swap(app: LiteQ) -> Any:
    """Return a task that replaces itself by the signature in its argument."""

    def swap(self: Any, sig: Any, how: str = "raise") -> Any:
        if how == "raise":
            raise self.replace(sig)
        return self.replace(sig)

    return app.task(name="swap", bind=True)(swap)


@pytest.mark.parametrize("how", ["raise", "return"])
def test_a_replacement_runs_under_the_tasks_id(swap: Any, where: Any, how: str) -> None:
    result = swap.apply((where.si(), how), task_id="mine")

    assert result.get()[:3] == ("mine", None, "mine")
    assert isinstance(result, EagerResult)
    assert result.id == "mine"


def test_any_canvas_may_replace_a_task(swap: Any, add: Any, total: Any) -> None:
    two = group(add.si(1, 1), add.si(2, 2))

    assert swap.apply((add.s(1, 1) | add.s(1),)).get() == 3
    assert swap.apply((two,)).get() == [2, 4]
    assert swap.apply((two | total.s(),)).get() == 6
    assert swap.apply((add.si(1, 1) | two,)).get() == [2, 4]
    assert swap.apply((swap.s(swap.s(add.si(1, 1))),)).get() == 2


def test_what_follows_gets_the_value_of_the_replacement(swap: Any, add: Any, same: Any) -> None:
    replaced = swap.si(add.si(1, 1) | add.s(1))

    assert (add.si(0, 0) | replaced | add.s(10)).apply().get() == 13
    assert group(replaced, add.si(0, 0)).apply().get() == [3, 0]
    assert chord([replaced, add.si(0, 0)], same.s()).apply().get() == [3, 0]
    assert chord([add.si(5, 5)], replaced).apply().get() == 3


def test_links_of_the_task_and_of_its_replacement_are_both_called_once(
    swap: Any, add: Any, note: Any, calls: Any
) -> None:
    inner = add.si(1, 1)
    inner.link(note.s("inner"))

    swap.apply((inner | add.s(1),), link=note.s("outer"))

    assert calls == [(2, "inner"), (3, "outer")]


def test_the_failure_of_a_replacement_is_the_tasks_own(
    swap: Any, fail: Any, errback: Any, calls: Any
) -> None:
    result = swap.apply((fail.si("no"),), link_error=errback.s(), task_id="mine")

    with pytest.raises(Oops, match="no"):
        result.get()
    assert calls == ["mine"]
    with pytest.raises(Oops):
        swap.apply((fail.si("no"),), throw=True)


def test_a_task_cannot_be_replaced_by_an_empty_chain(swap: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="Cannot replace with an empty chain"):
        swap.apply((chain(),)).get()


def test_a_task_knows_how_often_it_was_replaced(app: LiteQ, swap: Any) -> None:
    nesting = make_task(app, lambda self: self.request.replaced_task_nesting, bind=True)

    assert nesting.apply().get() == 0
    assert swap.apply((nesting.si(),)).get() == 1
    assert swap.apply((swap.s(nesting.si()),)).get() == 2


def test_a_hook_gets_the_replacement(app: LiteQ, add: Any, calls: Any) -> None:
    def on_replace(self: Any, sig: Any) -> None:
        calls.append(sig)

    task = make_task(
        app, lambda self: self.replace(add.si(1, 1)), name="t", bind=True, on_replace=on_replace
    )

    assert task.apply().get() == 2
    assert calls == [add.si(1, 1)]
