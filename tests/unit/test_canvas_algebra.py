"""The operator `|`, chain, group and chord; copies of canvases, and canvases as JSON."""

import copy
import json
import pickle
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any

import pytest

from liteq import LiteQ, Signature, chain, chord, chunks, group, signature, xmap, xstarmap
from liteq.exceptions import ImproperlyConfigured


@pytest.fixture
def t(app: LiteQ) -> Any:
    """Return a function that makes a signature of a task by its letter: t("a", 1)."""

    def make(letter: str, *args: Any, **kwargs: Any) -> Signature:
        return app.signature(letter, args, kwargs)

    return make


def shape(sig: Any) -> Any:
    """Return the structure: a letter is a task, a list a chain, a set of braces a group."""
    if isinstance(sig, chain):
        return [shape(task) for task in sig.tasks]
    if isinstance(sig, group):
        return {"group": [shape(task) for task in sig.tasks]}
    if isinstance(sig, chord):
        return {"header": [shape(task) for task in sig.tasks], "body": shape(sig.body)}
    return sig and sig.task


def g(*letters: str) -> dict[str, Any]:
    return {"group": list(letters)}


def c(header: list[Any], body: Any) -> dict[str, Any]:
    return {"header": header, "body": body}


# joining


def test_signatures_that_are_joined_make_one_flat_chain(t: Any) -> None:
    assert shape(t("a") | t("b") | t("c")) == ["a", "b", "c"]
    assert shape(t("a") | (t("b") | t("c"))) == ["a", "b", "c"]
    assert shape(chain(chain(t("a"), t("b")), chain(t("c")))) == ["a", "b", "c"]


def test_a_chain_takes_signatures_a_list_or_a_generator(t: Any) -> None:
    assert chain(t("a"), t("b")) == chain([t("a"), t("b")]) == chain(t(x) for x in "ab")
    assert chain(t("a"), t("b")) == t("a") | t("b")


def test_a_chain_of_one_is_a_chain(t: Any) -> None:
    assert shape(chain(t("a"))) == shape(chain([t("a")])) == shape(chain(chain(t("a")))) == ["a"]
    assert shape(chain(group(t("a"), t("b")))) == [g("a", "b")]
    assert shape(chain(group(t("a"), t("b")), group(), group())) == g("a", "b")
    assert shape(chain(t("a")) | t("b")) == ["a", "b"]


def test_a_chain_may_be_empty(t: Any) -> None:
    assert shape(chain()) == []
    assert chain()() is None
    assert shape(t("a") | chain()) == ["a"]
    assert shape(chain() | t("a")) == ["a"]


def test_a_group_of_one_that_ends_in_a_group_is_that_one_within_a_chain(t: Any) -> None:
    assert shape(t("a") | group(t("b") | group(t("c"), t("d")))) == ["a", "b", g("c", "d")]
    assert shape(t("a") | group(t("b"))) == ["a", g("b")]
    assert shape(chord([t("b") | group(t("c"), t("d"))], t("e"))) == c([["b", g("c", "d")]], "e")


def queues(sig: Any) -> list[str | None]:
    return [leaf.options.get("queue") for leaf in sig.leaves()]


def test_options_of_a_canvas_in_a_canvas_go_to_its_tasks(t: Any) -> None:
    first = group((t("a") | t("b")).set(queue="x"), chord([t("c")], t("d"), queue="y"))
    later = chord([t("a") | t("b")], t("c") | t("d"))
    later.tasks[0].set(queue="x")
    later.body.set(queue="y")

    assert queues(first.prepared()) == ["x", None, None, "y"]
    assert queues(later.prepared()) == ["x", None, "y", None]


def test_what_follows_a_group_is_the_body_of_a_chord(t: Any) -> None:
    assert shape(group(t("a"), t("b")) | t("c")) == c(["a", "b"], "c")
    assert shape(chain(group(t("a"), t("b")), t("c"))) == c(["a", "b"], "c")
    assert shape(group(t("a")) | t("c")) == c(["a"], "c")


def test_a_group_may_end_a_chain_and_becomes_a_chord_when_something_follows(t: Any) -> None:
    ending = t("a") | group(t("b"), t("c"))

    assert shape(ending) == ["a", g("b", "c")]
    assert shape(ending | t("d")) == ["a", c(["b", "c"], "d")]
    assert shape(ending | t("d") | t("e")) == ["a", c(["b", "c"], ["d", "e"])]
    assert shape(ending) == ["a", g("b", "c")]


def test_a_group_after_a_group_is_the_body_of_a_chord(t: Any) -> None:
    two = group(t("a"), t("b")) | group(t("c"), t("d"))

    assert shape(two) == c(["a", "b"], g("c", "d"))
    assert shape(two | t("e")) == c(["a", "b"], c(["c", "d"], "e"))


def test_what_follows_a_chord_follows_its_body(t: Any) -> None:
    start = chord([t("a"), t("b")], t("c"))

    assert shape(start | t("d")) == c(["a", "b"], ["c", "d"])
    assert shape(start | t("d") | t("e")) == c(["a", "b"], ["c", "d", "e"])
    assert shape(start | group(t("d"), t("e"))) == c(["a", "b"], ["c", g("d", "e")])
    assert shape(start | start) == c(["a", "b"], ["c", c(["a", "b"], "c")])
    assert shape(start) == c(["a", "b"], "c")


def test_a_chord_after_a_group_is_the_body_of_a_chord(t: Any) -> None:
    assert shape(group(t("a"), t("b")) | chord([t("c")], t("d"))) == c(["a", "b"], c(["c"], "d"))


def test_in_the_middle_of_a_chain_a_group_of_one_is_that_one(t: Any) -> None:
    assert shape(chain(t("a"), group(t("b")), t("c"))) == ["a", "b", "c"]
    assert shape(chain(t("a"), group([t("b") | t("x")]), t("c"))) == ["a", "b", "x", "c"]
    assert shape(chain(t("a"), group(t("b")))) == ["a", g("b")]


def test_empty_groups_and_chains_in_a_chain_are_left_out(t: Any) -> None:
    two = group(t("a"), t("b"))

    assert chain(two, group(), group()) == two
    assert shape(chain(group(), chain(), t("a"), group(), t("b"))) == ["a", "b"]


def test_an_empty_group_with_a_body_is_a_chord_without_members(t: Any) -> None:
    assert shape(group() | t("a")) == c([], "a")


def test_groups_in_a_group_are_dissolved(t: Any) -> None:
    inner = group(t("b"), t("c")).clone((1,), priority=2)

    assert shape(group(t("a"), inner, group(), chain())) == g("a", "b", "c")
    assert group(inner).tasks[0].args == (1,)


def test_a_group_takes_signatures_a_list_a_generator_or_a_group(t: Any) -> None:
    two = group(t("a"), t("b"))

    assert two == group([t("a"), t("b")]) == group(t(x) for x in "ab") == group(two)
    assert shape(group(t("a"))) == g("a")


def test_a_header_may_be_a_list_a_generator_a_group_a_signature_or_tasks(
    app: LiteQ, t: Any
) -> None:
    task = app.task(name="task")(lambda *values: values)

    assert shape(chord((t(x) for x in "ab"), t("c"))) == c(["a", "b"], "c")
    assert shape(chord(group(t("a")), t("c"))) == c(["a"], "c")
    assert shape(chord(t("a"), t("c"))) == c(["a"], "c")
    assert shape(chord(t("a") | t("b"), t("c"))) == c([["a", "b"]], "c")
    assert shape(chord([task, task], task)) == c(["task", "task"], "task")
    assert shape(chord(header=[t("a")], body=t("c"))) == c(["a"], "c")
    assert shape(chord([t("a")]) | t("c")) == c(["a"], "c")


def test_chunks_in_a_canvas_are_their_group(app: LiteQ, t: Any) -> None:
    task = app.task(name="task")(lambda x: x)

    assert shape(task.chunks([(1,), (2,), (3,)], 2) | t("a")) == c(["celery.starmap"] * 2, "a")


def test_a_dict_that_was_a_signature_can_be_joined_and_another_cannot(t: Any) -> None:
    plain: Any = json.loads(json.dumps(t("b")))

    assert shape(t("a") | plain) == ["a", "b"]
    assert shape(plain | t("a")) == ["b", "a"]
    for wrong in ({}, {"task": "b"}, "b", 5):
        with pytest.raises(TypeError, match="made of signatures"):
            t("a") | wrong
    with pytest.raises(TypeError, match="made of signatures"):
        {} | t("a")
    with pytest.raises(TypeError, match="not of 'a'"):
        group("ab")


def test_what_is_joined_stays_as_it_is(t: Any) -> None:
    a, b = t("a"), t("b")
    both = a | b
    three = both | t("c")

    three.tasks[0].set(queue="mail")
    both |= t("d")

    assert (shape(three), shape(both)) == (["a", "b", "c"], ["a", "b", "d"])
    assert a == t("a")
    assert both.tasks[0] == t("a")


def test_a_chain_of_a_thousand_steps_is_no_deeper_than_one_of_two(t: Any) -> None:
    long = chain(t("a", n) for n in range(1000))

    assert len(long.tasks) == 1000
    assert len((long | t("b")).tasks) == 1001
    restored: Any = signature(json.loads(json.dumps(long)))
    assert restored.tasks[999].args == (999,)
    assert len(set(long.clone().freeze().as_list())) == 1000
    assert len(reduce(or_, (t("a") for _ in range(200))).tasks) == 200


def test_groups_can_follow_groups_ten_levels_deep(t: Any) -> None:
    deep = chain(group(t("a") for _ in range(25)) for _ in range(10))

    frozen = deep.clone()
    result = frozen.freeze()
    restored = signature(json.loads(json.dumps(frozen)))

    assert len(list(frozen.leaves())) == 250
    assert len({leaf.id for leaf in frozen.leaves()}) == 250
    assert len(result.ancestors()) == 9
    assert restored == frozen
    assert len(json.dumps(frozen)) < 128 * 1024


# arguments


def test_arguments_go_to_what_runs_first(t: Any) -> None:
    def first_args(sig: Any) -> list[Any]:
        return [leaf.args for leaf in sig.clone((1,)).leaves()]

    assert first_args(t("a", 5) | t("b")) == [(1, 5), ()]
    assert first_args(group(t("a"), t("b", 5))) == [(1,), (1, 5)]
    assert first_args(chord([t("a"), t("b")], t("c"))) == [(1,), (1,), ()]
    assert first_args(chain(chord([t("a") | t("x")], t("c")), t("d"))) == [(1,), (), (), ()]


def test_keywords_go_the_same_way(t: Any) -> None:
    sig = chain(group(t("a", x=1), t("b")), t("c")).clone((), {"x": 2})

    assert [leaf.kwargs for leaf in sig.leaves()] == [{"x": 2}, {"x": 2}, {}]


def test_what_is_immutable_takes_none(t: Any) -> None:
    immutable = t("a", 5).set(immutable=True)

    assert [x.args for x in group(immutable, t("b")).clone((1,)).tasks] == [(5,), (1,)]
    assert (immutable | t("b")).clone((1,)).tasks[0].args == (5,)
    assert (t("a") | t("b")).set(immutable=True).clone((1,)).tasks[0].args == ()
    assert [x.immutable for x in group(t("a"), t("b")).set(immutable=True).tasks] == [True] * 2


def test_a_chain_that_is_immutable_stays_so_in_another(t: Any) -> None:
    inner = (t("b") | t("c")).set(immutable=True)

    assert [step.immutable for step in (t("a") | inner).tasks] == [False, True, False]


# links


def test_links_are_kept_once_each_and_returned(t: Any) -> None:
    a, callback, errback = t("a"), t("c"), t("e")

    assert a.link(callback) == callback
    a.link(t("c"))
    assert a.on_error(errback) is a
    assert a.link_error(t("e")) == errback
    assert a.options == {"link": [callback], "link_error": [errback]}


def test_copies_share_no_links(t: Any) -> None:
    a = t("a")
    a.link(t("c"))
    b = a.clone()
    b.link(t("d"))

    assert [x.task for x in a.options["link"]] == ["c"]
    assert [x.task for x in b.options["link"]] == ["c", "d"]


COPIES: dict[str, Callable[[Any], Any]] = {
    "clone": lambda sig: sig.clone(),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "signature": signature,
    "in a chain": lambda sig: chain(sig, sig).tasks[1],
}


def test_a_link_may_be_a_task_and_a_name_is_refused(app: LiteQ, t: Any) -> None:
    @app.task(name="add")
    def add(x: int, y: int = 0) -> int:
        return x + y

    sig = t("a")

    assert sig.link(add) == add.s()
    assert sig.link_error(add) == add.s()
    assert (sig.options["link"], sig.options["link_error"]) == ([add.s()], [add.s()])
    for canvas in (sig, sig | t("b"), chord([t("a")], t("b"))):
        for call in (canvas.link, canvas.link_error):
            with pytest.raises(TypeError, match=r"known by name only is signature\('add'\)"):
                call("add")


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_has_callbacks_of_its_own(t: Any, how: str) -> None:
    a = t("a").set(headers={"x": [1]})
    a.link(t("c"))
    a.link_error(t("e"))
    b = COPIES[how](a)
    b.stamp(mark=1)
    b.options["link"][0].link(t("d"))
    b.options["headers"]["x"].append(2)

    assert a.options == {"link": [t("c")], "link_error": [t("e")], "headers": {"x": [1]}}
    assert b.options["link"][0].options["mark"] == 1


@pytest.mark.parametrize("how", ["clone", "copy", "deepcopy"])
def test_a_copy_of_a_canvas_has_arguments_of_its_own(t: Any, how: str) -> None:
    canvas: Any = chord([t("a", [1], x={"y": [2]})], t("b"))
    other = COPIES[how](canvas)
    other.tasks[0].args[0].append(3)
    other.tasks[0].kwargs["x"]["y"].append(4)

    assert (canvas.tasks[0].args, canvas.tasks[0].kwargs) == (([1],), {"x": {"y": [2]}})


def test_a_deep_copy_has_copies_of_objects_of_the_user(t: Any) -> None:
    class Box:
        def __init__(self) -> None:
            self.items: list[int] = []

    a = t("a", Box())
    copy.deepcopy(a).args[0].items.append(1)

    assert a.args[0].items == []
    assert a.clone().args[0] is a.args[0]


def test_flatten_links_follows_links_of_links(t: Any) -> None:
    a, b = t("a"), t("b")
    b.link(t("c"))
    a.link(b)

    assert [x.task for x in a.flatten_links()] == ["a", "b", "c"]


def links(sig: Any, name: str = "link") -> list[list[str]]:
    return [[x.task for x in leaf.options.get(name, ())] for leaf in sig.leaves()]


def test_the_callback_of_a_chain_is_for_its_last_step_and_the_errback_for_all(t: Any) -> None:
    sig = t("a") | t("b")
    sig.link(t("c"))
    sig.link_error(t("e"))

    assert links(sig) == [[], ["c"]]
    assert links(sig, "link_error") == [["e"], ["e"]]
    assert links(sig | t("d")) == [[], ["c"], []]


def test_the_callback_of_a_group_is_for_its_first_member_and_the_errback_for_all(t: Any) -> None:
    sig = group(t("a"), t("b"))
    sig.link(t("c"))
    sig.link_error(t("e"))

    assert links(sig) == [["c"], []]
    assert links(sig, "link_error") == [["e"], ["e"]]


def test_callback_and_errback_of_a_chord_are_for_its_body(t: Any) -> None:
    sig = chord([t("a"), t("b")], t("c"))
    sig.link(t("d"))
    sig.on_error(t("e"))

    assert links(sig) == [[], [], ["d"]]
    assert links(sig, "link_error") == [[], [], ["e"]]


def test_the_errback_of_a_chord_is_for_its_header_too_where_the_settings_say_so(
    app: LiteQ, t: Any
) -> None:
    app.conf.task_allow_error_cb_on_chord_header = True
    sig = chain(group(t("a"), t("b")), t("c"))
    sig.link_error(t("e"))

    assert links(sig, "link_error") == [["e"], ["e"], ["e"]]
    assert [leaf.options["link_error"][0].immutable for leaf in sig.leaves()] == [True, True, False]


def test_links_of_a_member_stay_with_it_in_any_canvas(t: Any) -> None:
    a = t("a")
    a.link(t("c"))

    assert links(chord([a, t("b")], t("x")) | t("y")) == [["c"], [], [], []]
    sig = chord([t("a"), t("b")], t("c"))
    sig.tasks[1].link_error(t("e"))
    assert links(sig, "link_error") == [[], ["e"], []]


# ids


def test_a_canvas_has_the_id_of_what_comes_last(t: Any) -> None:
    for sig in (t("a") | t("b"), chord([t("a")], t("b")), group(t("a")), t("a") | group(t("b"))):
        assert sig.id is None
        assert sig.freeze("mine").id == "mine"
        assert sig.id == "mine"
        assert sig.freeze().id == "mine"


def test_a_chain_has_no_id_before_it_is_frozen(t: Any) -> None:
    canvas = t("a") | t("b").set(task_id="last")

    assert canvas.id is None
    assert canvas.freeze().id == canvas.id == "last"
    assert signature(json.loads(json.dumps(canvas))).id == "last"
    assert (canvas | t("c")).id is None
    assert (canvas | t("c")).freeze().id != "last"
    assert (t("a") | t("b")).set(task_id="mine").id == "mine"


def test_freezing_returns_results_with_their_parents(t: Any) -> None:
    sig = chain(t("a"), group(t("b"), t("c")), t("d"))
    result = sig.freeze()
    a, header_b, header_c, d = sig.leaves()

    assert result.id == d.id
    assert result.parent.results == [header_b.id, header_c.id]
    assert result.parent.parent.id == a.id
    assert result.parent.parent.parent is None


def test_a_frozen_part_keeps_its_id_in_a_canvas(t: Any) -> None:
    a = t("a")
    id = a.freeze().id
    sig = chord([a, t("b")], t("c"))
    body = sig.body.freeze().id

    result = sig.freeze()

    assert (result.id, result.parent.results[0].id) == (body, id)


def test_the_same_signature_many_times_has_many_ids(t: Any) -> None:
    a = t("a")
    a.freeze("mine")

    ids = chain(a for _ in range(42)).freeze().as_list()

    assert len(set(ids)) == 42
    assert ids[-1] == "mine"


def test_a_chord_without_a_body_cannot_be_frozen(t: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="no body"):
        chord([t("a")]).freeze()


def test_skew_spreads_the_members_over_time(t: Any) -> None:
    sig = group(t("a") for _ in range(4)).skew(start=1, stop=3, step=1)

    assert [x.options["countdown"] for x in sig.tasks] == [1, 2, 3, 3]


# options


def ready(sig: Any, **options: Any) -> list[dict[str, Any]]:
    """Return the options of all tasks when the canvas is sent with `options`."""
    return [leaf.options for leaf in sig.prepared((), None, options).leaves()]


def test_options_of_a_call_are_for_what_runs_first(t: Any) -> None:
    assert ready(t("a") | t("b"), countdown=5) == [{"countdown": 5}, {}]
    assert ready((t("a") | t("b")).set(queue="q"), countdown=5)[0] == {"queue": "q", "countdown": 5}
    assert ready(group(t("a"), t("b")), queue="q") == [{"queue": "q"}, {"queue": "q"}]


def test_options_of_a_chord_are_for_its_body_but_times_for_its_header(t: Any) -> None:
    sig = chord([t("a")], t("b"))

    assert ready(sig, queue="q", countdown=5) == [{"countdown": 5}, {"queue": "q"}]


def test_links_of_a_call_are_like_links_of_the_canvas(t: Any) -> None:
    sig = t("a") | t("b")
    sig.link(t("c"))
    options = ready(sig, link=[t("d")], link_error=t("e"))

    assert [[x.task for x in each.get("link", ())] for each in options] == [[], ["c", "d"]]
    assert [[x.task for x in each["link_error"]] for each in options] == [["e"], ["e"]]


# being stored


CANVASES = [
    lambda t: t("a", 1).set(queue="q"),
    lambda t: t("a") | t("b"),
    lambda t: group(t("a"), t("b") | t("c")),
    lambda t: chord([t("a"), t("b")], t("c") | group(t("d"), t("e"))),
    lambda t: chain(t("a"), group(t("b"), chain(t("c"), group(t("d"), t("e")))), t("f")),
    lambda t: group(t("a").on_error(t("e")), xmap(t("b"), [1, 2]), xstarmap(t("c"), [(1, 2)])),
    lambda t: chunks(t("a"), [(1,), (2,)], 1),
]


@pytest.mark.parametrize("make", CANVASES, ids=range(len(CANVASES)))
def test_a_canvas_survives_json_and_pickle_with_all_its_classes(t: Any, make: Any) -> None:
    sig = make(t)
    text = json.dumps(sig)

    restored = signature(json.loads(text))

    assert (type(restored), shape(restored)) == (type(sig), shape(sig))
    assert json.dumps(restored) == text
    assert [type(x) for x in restored.leaves()] == [type(x) for x in sig.leaves()]
    assert pickle.loads(pickle.dumps(sig)) == sig
    assert sig.clone() == sig
    assert repr(restored)


def test_its_links_come_back_as_signatures(t: Any) -> None:
    restored = signature(json.loads(json.dumps(t("a").on_error(t("e") | t("f")))))

    (errback,) = restored.options["link_error"]
    assert type(errback) is chain
    assert type(errback.tasks[0]) is Signature


def test_a_restored_signature_shares_nothing_with_the_dict(t: Any) -> None:
    plain = json.loads(json.dumps(t("a", x=1)))
    restored = signature(plain)
    restored.set(queue="q")
    restored.kwargs["x"] = 2

    assert plain == json.loads(json.dumps(t("a", x=1)))
    assert signature({"task": "a"}) == t("a")


def test_canvases_say_what_they_are(t: Any) -> None:
    assert repr(t("a", 1) | t("b")) == "a(1) | b()"
    assert repr(group(t("a"), t("b"))) == "group([a(), b()])"
    assert repr(chord([t("a")], t("b"))) == "chord([a()], b())"
    assert repr(chain()) == "chain()"
