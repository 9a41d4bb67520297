"""Results of groups, and sets of results: read and waited for together."""

import io
import json
import pickle
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from liteq import GroupResult, LiteQ, ResultSet, group
from liteq.exceptions import ChordError, IncompleteStream, TimeoutError
from liteq.model.graph import Graph, Group, Place
from liteq.model.message import Record
from liteq.result import AsyncResult, EagerResult, allow_join_result, result_from_tuple
from liteq.testing import ManualClock, MemoryBroker, drain

from .conftest import make_task, message_of


class Oops(Exception):
    """An exception of a task."""


class Counting(MemoryBroker):
    """A store that notes how many tasks each read was for."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.reads: list[int] = []

    def fetch(self, ids: Sequence[str]) -> list[Record | None]:
        self.reads.append(len(ids))
        return super().fetch(ids)


@pytest.fixture
def broker(clock: ManualClock) -> Counting:
    return Counting(clock)


@pytest.fixture
def add(app: LiteQ) -> Any:
    return app.task(name="add")(lambda x, y=0: x + y)


@pytest.fixture
def fail(app: LiteQ) -> Any:
    def fail(text: str = "no") -> None:
        raise Oops(text)

    return app.task(name="fail")(fail)


@pytest.fixture
def mixed(app: LiteQ, add: Any, fail: Any) -> ResultSet:
    """Three results: 1, a failure, and one that still waits in a queue of its own."""
    results = [add.delay(1), fail.delay(), add.apply_async((3,), queue="later")]
    drain(app, ["celery"])
    return ResultSet(results, app=app)


# sending a group


def test_a_group_is_sent_in_one_go_and_waited_for_in_order(app: LiteQ, add: Any) -> None:
    result = group(add.s(n) for n in range(5)).apply_async((10,), countdown=0, queue="mail")
    drain(app)

    assert type(result) is GroupResult
    assert result.get(timeout=0) == [10, 11, 12, 13, 14]
    assert {message_of(member).queue for member in result} == {"mail"}


def test_a_frozen_group_keeps_its_ids(add: Any) -> None:
    sig = group(add.s(1), add.s(2))
    frozen = sig.freeze()

    assert sig.delay() == frozen


def test_an_empty_group_is_ready_at_once(app: LiteQ) -> None:
    result = group(app=app)()

    assert (result.get(), result.ready(), result.successful(), result.results) == (
        [],
        True,
        True,
        [],
    )


# asking


def test_a_set_knows_how_many_have_finished(app: LiteQ, mixed: ResultSet) -> None:
    assert (mixed.ready(), mixed.waiting(), mixed.successful(), mixed.failed()) == (
        False,
        True,
        False,
        True,
    )
    assert mixed.completed_count() == 1
    drain(app)
    assert (mixed.ready(), mixed.waiting(), mixed.completed_count()) == (True, False, 2)


def test_each_method_reads_the_store_once(app: LiteQ, add: Any, broker: Counting) -> None:
    result = group(add.s(n) for n in range(50))()
    del broker.reads[:]

    result.ready()
    result.completed_count()

    result.failed()
    result.maybe_throw()

    assert broker.reads == [50] * 4


def test_a_finished_task_is_not_read_again(app: LiteQ, mixed: ResultSet, broker: Counting) -> None:
    mixed.ready()
    del broker.reads[:]

    mixed.ready()

    assert broker.reads == [1]


def test_maybe_throw_raises_what_failed(mixed: ResultSet) -> None:
    with pytest.raises(Oops):
        mixed.maybe_throw()
    mixed.maybe_throw(propagate=False)


# waiting


def test_the_first_failure_is_raised_at_once(mixed: ResultSet) -> None:
    with pytest.raises(Oops):
        mixed.get(timeout=30)
    with pytest.raises(Oops):
        mixed.join_native(timeout=30)


def test_without_propagate_exceptions_stand_in_place(app: LiteQ, mixed: ResultSet) -> None:
    drain(app)

    one, oops, three = mixed.join(timeout=0, propagate=False)

    assert (one, type(oops), three) == (1, Oops, 3)


def test_the_timeout_is_for_all_of_them(mixed: ResultSet, add: Any) -> None:
    mixed.add(add.apply_async((1,), queue="later"))

    with pytest.raises(TimeoutError, match="2 results did not come within 0"):
        mixed.get(timeout=0, propagate=False)


def test_a_callback_gets_ids_and_values_in_order(app: LiteQ, add: Any) -> None:
    result = group(add.s(1), add.s(2))()
    drain(app)
    got: list[Any] = []

    result.get(callback=lambda id, value: got.append((id, value)))

    assert got == [(result[0].id, 1), (result[1].id, 2)]


def test_what_is_ready_is_handed_over_before_the_time_is_over(
    app: LiteQ, mixed: ResultSet, add: Any
) -> None:
    mixed.add(add.delay(4))
    drain(app, ["celery"])
    got: list[Any] = []

    with pytest.raises(TimeoutError, match=r"PENDING after 0\.05 seconds"):
        mixed.join(timeout=0.05, propagate=False, callback=lambda id, value: got.append(value))

    assert [value if isinstance(value, int) else type(value) for value in got] == [1, Oops, 4]


def test_results_are_handed_over_while_others_are_waited_for(app: LiteQ, add: Any) -> None:
    first = add.delay(1)
    second = add.apply_async((2,), queue="later")
    drain(app, ["celery"])
    got: list[Any] = []

    def take(id: str, value: Any) -> None:
        got.append(value)
        drain(app)  # the second one has only now a worker

    assert ResultSet([first, second], app=app).join(timeout=10, callback=take) == [1, 2]
    assert got == [1, 2]


@pytest.mark.parametrize("ready", [True, False])
def test_the_time_that_a_callback_takes_counts(app: LiteQ, add: Any, ready: bool) -> None:
    results = [add.delay(1), add.apply_async((2,), queue="celery" if ready else "later")]
    drain(app, ["celery"])
    over = threading.Event()
    got: list[Any] = []

    def take(id: str, value: Any) -> None:
        got.append(value)
        over.wait(0.06)

    with pytest.raises(TimeoutError):
        ResultSet(results, app=app).join(timeout=0.05, callback=take)
    assert got == [1]
    if ready:
        assert ResultSet(results, app=app).join(timeout=0, callback=take) == [1, 2]


def test_waiting_wakes_up_by_a_notification(app: LiteQ, add: Any) -> None:
    result = group(add.s(n) for n in range(300))()
    looked = threading.Event()
    thread = threading.Thread(target=lambda: looked.wait(5) and drain(app))
    thread.start()

    assert result.get(timeout=30, on_interval=looked.set) == list(range(300))
    thread.join()


def test_results_are_yielded_as_they_finish(app: LiteQ, add: Any) -> None:
    first = add.apply_async((1,), queue="later")
    results = ResultSet([first, add.delay(2)], app=app)
    drain(app, ["celery"])

    arrivals = results.iter_completed(timeout=30)

    assert next(arrivals).get() == 2
    drain(app)
    assert [result.get() for result in arrivals] == [1]
    assert [result.get() for result in results.iter_completed()] == [1, 2]


def test_what_is_known_of_them_is_yielded_as_they_finish(app: LiteQ, mixed: ResultSet) -> None:
    drain(app)

    known = dict(mixed.iter_native(timeout=0))

    assert [known[r.id]["status"] for r in mixed] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert known[mixed[0].id] == {
        "task_id": mixed[0].id,
        "status": "SUCCESS",
        "result": 1,
        "traceback": None,
        "children": [],
    }


def test_a_set_that_was_waited_for_can_grow(app: LiteQ, add: Any) -> None:
    results = ResultSet([add.delay(1)], app=app)
    drain(app)
    assert results.get(timeout=0) == [1]

    results.add(add.delay(2))
    drain(app)

    assert results.get(timeout=0) == [1, 2]


def test_members_may_be_groups(app: LiteQ, add: Any) -> None:
    inner = group(add.s(3), add.s(4))()
    outer = GroupResult("outer", [add.delay(1), inner], app=app)
    drain(app)

    assert outer.get(timeout=0) == [1, [3, 4]]
    assert (outer.completed_count(), len(list(outer.leaves()))) == (2, 3)


def test_ignored_results_are_none_and_not_waited_for(app: LiteQ, add: Any) -> None:
    result = group(add.s(1).set(ignore_result=True), add.s(2))()
    drain(app)

    assert result.get(timeout=0) == [None, 2]


def test_waiting_for_a_group_inside_a_task_is_refused(app: LiteQ, add: Any) -> None:
    @app.task(name="wait")
    def wait(allowed: bool) -> Any:
        result = group(add.s(1))()
        if not allowed:
            return result.get(timeout=0)
        with allow_join_result():
            return result.get(timeout=0)

    refused, allowed = wait.delay(False), wait.delay(True)
    drain(app)

    assert isinstance(refused.get(propagate=False), RuntimeError)
    assert isinstance(allowed.get(propagate=False), TimeoutError)


# what comes before


def test_the_failure_of_a_member_of_the_group_before_is_raised(
    app: LiteQ, add: Any, fail: Any
) -> None:
    header = GroupResult("g", [add.delay(1), fail.delay("header")], app=app)
    drain(app)
    body: AsyncResult[Any] = AsyncResult("never", app=app, parent=header)

    with pytest.raises(Oops, match="header"):
        body.get(timeout=30)
    with pytest.raises(Oops, match="header"):
        GroupResult("h", [AsyncResult("nobody", app=app)], parent=header, app=app).get(timeout=30)


def test_the_failure_of_a_step_before_a_member_is_raised(app: LiteQ, fail: Any) -> None:
    step = fail.delay("step")
    drain(app)
    member: AsyncResult[Any] = AsyncResult("never", app=app, parent=step)
    result: AsyncResult[Any] = AsyncResult("no", app=app, parent=GroupResult("g", [member]))

    with pytest.raises(Oops, match="step"):
        result.get(timeout=30)


def plant(app: LiteQ, places: dict[str, tuple[Any, Place]], *groups: Group) -> list[Any]:
    """Store calls under these ids, in their places; return their results."""
    messages = [
        app.producer.message(app.tasks[call.task], call.args, call.kwargs, {"task_id": id})
        for id, (call, _) in places.items()
    ]
    standing = tuple(place for _, place in places.values())
    app.broker.enqueue_graph(Graph(tuple(messages), standing, groups))
    return [app.AsyncResult(id) for id in places]


def test_a_step_that_was_skipped_has_the_exception_of_the_one_that_failed(
    app: LiteQ, add: Any, fail: Any
) -> None:
    _, b, c = plant(
        app,
        {
            "a": (fail.s("a"), Place(followed=True)),
            "b": (add.s(1), Place(waits="a", followed=True)),
            "c": (add.s(1), Place(waits="b")),
        },
    )
    drain(app)

    for result in (b, c):
        assert result.state == "FAILURE"
        with pytest.raises(Oops, match="a"):
            result.get(timeout=0)


def test_a_body_that_was_skipped_has_a_chord_error_unless_the_header_is_known(
    app: LiteQ, add: Any, fail: Any
) -> None:
    a, b, body, then = plant(
        app,
        {
            "a": (add.s(1), Place(group="g")),
            "b": (fail.s("b"), Place(group="g", position=1)),
            "body": (add.s(1), Place(waits="g", barrier=True, followed=True)),
            "then": (add.s(1), Place(waits="body")),
        },
        Group("g"),
    )
    drain(app)

    for result in (body, then):
        with pytest.raises(ChordError, match=r"^Dependency b raised Oops\('b'\)"):
            result.get(timeout=0)
    body.parent = GroupResult("g", [a, b], app=app)
    later = app.AsyncResult("then", parent=body)
    for result in (body, later, ResultSet([app.AsyncResult("then", parent=body)])):
        with pytest.raises(Oops, match="b"):
            result.get(timeout=30)
    with pytest.raises(ChordError):
        body.get(timeout=0, follow_parents=False)
    assert isinstance(body.get(timeout=0, propagate=False), ChordError)
    b.forget()
    with pytest.raises(ChordError, match="is forgotten"):
        app.AsyncResult("body").get(timeout=0)


def test_a_body_that_runs_although_its_header_failed_has_its_own_value(
    app: LiteQ, add: Any, fail: Any
) -> None:
    a, body = plant(
        app,
        {
            "a": (fail.s("a"), Place(group="g")),
            "body": (add.s(1), Place(waits="g", barrier=True)),
        },
        Group("g", forgiving=True),
    )
    body.parent = GroupResult("g", [a], app=app, forgiving=True)
    drain(app, limit=1)
    with pytest.raises(TimeoutError):
        body.get(timeout=0)
    drain(app)

    assert body.get(timeout=0) == 1


# promises


def test_then_is_called_when_a_task_is_found_to_have_finished(app: LiteQ, add: Any) -> None:
    result = add.delay(1)
    got: list[Any] = []
    result.then(got.append)
    drain(app)
    assert got == []

    result.ready()
    result.then(got.append)

    assert got == [result, result]


def test_what_the_callback_raises_goes_to_on_error(app: LiteQ, add: Any) -> None:
    result = add.delay(1)
    errors: list[Any] = []
    result.then(lambda result: 1 / 0, on_error=errors.append)
    drain(app)

    assert result.get(timeout=0) == 1
    assert isinstance(errors[0], ZeroDivisionError)


def test_then_of_a_set_is_called_once_when_all_have_finished(app: LiteQ, mixed: ResultSet) -> None:
    got: list[Any] = []
    mixed.then(got.append)

    assert not mixed.ready()
    assert got == []
    drain(app)
    mixed.ready()
    mixed.ready()
    assert got == [mixed]
    mixed.then(got.append)
    assert len(got) == 2


# acting


def test_a_set_is_revoked_and_forgotten_as_one(app: LiteQ, add: Any) -> None:
    result = group(add.s(1), add.s(2))()

    result.revoke()
    assert [member.state for member in result] == ["REVOKED", "REVOKED"]
    result.forget()
    assert [member.exists() for member in result] == [False, False]


def test_forgetting_a_result_forgets_what_came_before(app: LiteQ, add: Any) -> None:
    first, second = add.delay(1), add.delay(2)
    second.parent = GroupResult("g", [first], app=app)
    drain(app)

    second.forget()

    assert (first.exists(), second.exists()) == (False, False)


# as a container


def test_a_set_has_each_result_once(app: LiteQ) -> None:
    a, b, c = (app.AsyncResult(id) for id in "abc")
    results = ResultSet([a])
    results.add(a)
    results.update([a, b, c, b])
    assert results.results == ["a", "b", "c"]

    results.remove("b")
    results.discard(a)
    results.discard("nobody")
    assert (list(results), len(results), "c" in results, results[0]) == (["c"], 1, True, c)
    with pytest.raises(KeyError):
        results.remove("b")
    results.clear()
    assert (results.results, bool(results), results == ResultSet()) == ([], False, True)


def test_group_results_are_equal_by_id_members_and_parent(app: LiteQ) -> None:
    a, b = app.AsyncResult("a"), app.AsyncResult("b")
    one = GroupResult("g", [a, b], parent=a)

    assert one == GroupResult("g", [a, b], parent=a) == "g"
    assert one not in (GroupResult("g", [a], parent=a), GroupResult("g", [a, b]), "h", 5)
    assert {one: 1}[GroupResult("g", [a, b], parent=a)] == 1
    assert (str(one), repr(one), bool(GroupResult())) == ("g", "<GroupResult: g [a, b]>", False)
    assert one.children == [a, b]
    assert repr(ResultSet([a])) == "<ResultSet: [a]>"


# as a tuple


def nested(app: LiteQ) -> AsyncResult[Any]:
    first = app.AsyncResult("first")
    header = GroupResult("g", [app.AsyncResult("a"), app.AsyncResult("b")], parent=first)
    return app.AsyncResult("body", parent=header)


def test_results_survive_as_tuples_json_and_pickle(app: LiteQ) -> None:
    body = nested(app)
    expected = ("g", (("first", None), None)), [(("a", None), None), (("b", None), None)]

    assert body.as_tuple() == (("body", expected), None)
    restored = result_from_tuple(json.loads(json.dumps(body.as_tuple())), app)
    for twin in (restored, pickle.loads(pickle.dumps(body))):
        assert twin.as_tuple() == body.as_tuple()
        assert isinstance(twin.parent, GroupResult)
    assert body.as_list() == ["body", "g", "first"]
    assert result_from_tuple(body.parent) is body.parent
    results = pickle.loads(pickle.dumps(ResultSet([body])))
    assert results.as_tuple()[1] == [body.as_tuple()]


def test_a_chain_of_any_length_survives(app: LiteQ) -> None:
    last = app.AsyncResult("0")
    for n in range(1, 5000):
        last = app.AsyncResult(str(n), parent=last)

    assert len(result_from_tuple(last.as_tuple(), app).as_list()) == 5000
    assert len(pickle.loads(pickle.dumps(last)).as_list()) == 5000
    with pytest.raises(TimeoutError):
        last.get(timeout=0)
    last.forget()


def test_a_task_may_return_results(app: LiteQ, add: Any) -> None:
    task = make_task(app, lambda: group(add.s(1), add.s(2)).delay(), name="start")
    result = task.delay()
    drain(app)

    started = result_from_tuple(result.get(timeout=0), app)

    assert started.get(timeout=0) == [1, 2]


# what led to what


def tree(app: LiteQ) -> EagerResult[Any]:
    leaves: list[Any] = [EagerResult(id, id.upper(), "SUCCESS", app=app) for id in "bc"]
    return EagerResult("a", "A", "SUCCESS", app=app, children=[GroupResult("g", leaves, app=app)])


def test_results_are_walked_level_by_level(app: LiteQ) -> None:
    root = tree(app)

    assert [(parent and str(parent), str(node)) for parent, node in root.iterdeps()] == [
        (None, "a"),
        ("a", "g"),
        ("g", "b"),
        ("g", "c"),
    ]
    assert [value for _, value in root.collect()] == ["A", ["B", "C"], "B", "C"]
    assert root.get_leaf() == "C"


def test_what_is_not_ready_cannot_be_walked_unless_asked_for(app: LiteQ, add: Any) -> None:
    result = add.delay(1)

    with pytest.raises(IncompleteStream):
        list(result.iterdeps())
    assert list(result.iterdeps(intermediate=True)) == [(None, result)]


def test_the_graph_can_be_drawn(app: LiteQ) -> None:
    graph, file = tree(app).graph, io.StringIO()
    graph.to_dot(file)

    assert (len(graph), graph.edges()) == (4, [("a", "g"), ("g", "b"), ("g", "c")])
    assert list(graph) == ["a", "g", "b", "c"]
    assert "g" in graph
    assert graph["g"] == ["b", "c"]
    assert file.getvalue() == (
        'digraph dependencies {\n    "a";\n    "g";\n    "b";\n    "c";\n'
        '    "a" -> "g";\n    "g" -> "b";\n    "g" -> "c";\n}\n'
    )
    labelled = io.StringIO()
    tree(app).build_graph(formatter=lambda node: f'the "{node}"').to_dot(labelled)
    assert '"the \\"a\\""' in labelled.getvalue()
