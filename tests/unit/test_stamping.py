"""Stamps: marks that travel with all tasks of a canvas."""

from typing import Any

import pytest

from liteq import LiteQ, chain, chord, group
from liteq.canvas import GroupStampingVisitor, Signature, StampingVisitor
from liteq.testing import drain

from .conftest import message_of


class Marks(StampingVisitor):
    """A visitor that notes what it visits, and stamps each signature with its name."""

    def __init__(self) -> None:
        self.met: list[str] = []

    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:
        self.met.append(sig.task)
        return {"mark": sig.task, "stamped_headers": ["mark"]}

    def on_group_start(self, sig: Any, **headers: Any) -> dict[str, Any]:
        self.met.append("group")
        return {"in_group": True}

    def on_chain_start(self, sig: Any, **headers: Any) -> dict[str, Any]:
        self.met.append("chain")
        return {}

    def on_chord_header_start(self, sig: Any, **headers: Any) -> dict[str, Any]:
        self.met.append("header")
        return {**super().on_chord_header_start(sig, **headers), "in_header": True}

    def on_chord_body(self, sig: Any, **headers: Any) -> dict[str, Any]:
        self.met.append("body")
        return {"in_body": True}

    def on_callback(self, sig: Any, **headers: Any) -> dict[str, Any]:
        self.met.append("callback")
        return {"called": True}

    def on_errback(self, sig: Any, **headers: Any) -> dict[str, Any]:
        self.met.append("errback")
        return {}


@pytest.fixture
def t(app: LiteQ) -> Any:
    """Return a function that makes a signature of a task by its letter."""
    return app.signature


def stamps(sig: Signature) -> dict[str, Any]:
    """Return the stamps of `sig`."""
    return {name: sig.options[name] for name in sig.options.get("stamped_headers", ())}


def test_stamps_are_for_every_task_of_a_canvas(t: Any) -> None:
    sig = chain(t("a"), group(t("b"), t("c")), t("d"))

    assert sig.stamp(trace="x") is sig
    assert [stamps(leaf) for leaf in sig.leaves()] == [{"trace": "x"}] * 4


def test_a_visitor_visits_every_part_and_returns_its_stamps(t: Any) -> None:
    marks = Marks()
    a, d = t("a"), t("d")
    a.link(t("x"))
    d.link_error(t("e"))
    sig = chain(a, group(t("b"), t("c")), d)

    sig.stamp(marks, trace=1)

    assert " ".join(marks.met) == (
        "chain callback x a header group b c body errback e d"  # in the order it met them
    )
    assert [stamps(leaf) for leaf in sig.leaves()] == [
        {"trace": 1, "mark": "a"},
        {"trace": 1, "in_header": True, "in_group": True, "mark": "b"},
        {"trace": 1, "in_header": True, "in_group": True, "mark": "c"},
        {"trace": 1, "in_body": True, "mark": "d"},
    ]
    assert stamps(sig.tasks[0].options["link"][0]) == {"trace": 1, "called": True, "mark": "x"}


def test_a_second_stamp_is_put_over_the_first_or_beside_it(t: Any) -> None:
    assert stamps(t("a").stamp(x=1, y=1).stamp(x=2)) == {"x": 2, "y": 1}
    assert stamps(t("a").stamp(x=1).stamp(x=2, append_stamps=True)) == {"x": [1, 2]}
    assert stamps(t("a").stamp(x=[1]).stamp(x=1, append_stamps=True)) == {"x": [1]}


def test_members_can_be_stamped_with_their_groups(t: Any) -> None:
    sig = group(t("a"), chord([t("b")], t("c")))
    sig.stamp(GroupStampingVisitor())
    members: list[Any] = sig.tasks
    outer, inner = sig.id, members[1].header.id

    assert [leaf.options["groups"] for leaf in sig.leaves()] == [[outer], [outer, inner], [outer]]


def test_a_task_reads_its_stamps_and_they_survive_a_retry(app: LiteQ) -> None:
    @app.task(bind=True)
    def look(self: Any) -> Any:
        if not self.request.retries:
            raise self.retry(countdown=0)
        return self.request.stamps, self.request.stamped_headers

    sig = look.s().stamp(trace=["x"])
    sent = sig.delay()
    drain(app)

    assert sent.get(timeout=0) == ({"trace": ["x"]}, ["trace"])
    assert sig.apply().get() == ({"trace": ["x"]}, ["trace"])
    assert look.apply_async(stamped_headers=["a"], a=1).id
    with pytest.raises(TypeError, match="unexpected option 'b'"):
        look.apply_async(stamped_headers=["a"], b=1)


def test_what_replaces_a_task_has_its_stamps_and_its_own(app: LiteQ) -> None:
    @app.task(bind=True)
    def look(self: Any, *_: Any) -> Any:
        return self.request.stamps

    @app.task(bind=True)
    def swap(self: Any, *_: Any) -> Any:
        raise self.replace(chain(look.s(), group(look.s(), look.s()).stamp(x=2, y=2)))

    sig = swap.s().stamp(x=1, z=1)
    sent = sig.delay()
    drain(app)

    assert sent.get(timeout=0) == sig.apply().get() == [{"x": 2, "y": 2, "z": 1}] * 2


def test_a_visitor_must_define_on_signature(t: Any) -> None:
    with pytest.raises(TypeError, match=r"abstract .*on_signature"):
        StampingVisitor()  # type: ignore[abstract]


class Linking(StampingVisitor):
    """A visitor that changes what it visits, and returns what the base returns."""

    def __init__(self) -> None:
        self.groups: list[Any] = []

    def on_group_start(self, sig: Any, **headers: Any) -> Any:
        self.groups.append(sig)

    def on_signature(self, sig: Any, **headers: Any) -> Any:
        sig.options.pop("queue", None)
        sig.link(Signature("linked"))
        return super().on_signature(sig, **headers)


def test_a_visitor_may_change_what_it_visits_and_return_nothing(t: Any) -> None:
    visitor = Linking()
    sig = chord([t("a").set(queue="x"), t("b")], t("c")).stamp(visitor, mark=1)

    assert [leaf.options["link"] for leaf in sig.leaves()] == [[Signature("linked")]] * 3
    assert [stamps(leaf) for leaf in sig.leaves()] == [{"mark": 1}] * 3
    assert "queue" not in sig.tasks[0].options
    assert visitor.groups == [sig.header]


def test_links_are_stamped_however_they_were_given(app: LiteQ, t: Any) -> None:
    canvases = [chain(t("a"), t("b")), group(t("a")), chord([t("a")], t("b")), t("a")]
    for canvas in canvases:
        canvas.set(link=dict(t("x")), link_error=[t("e")])
        canvas.stamp(Marks(), trace=1)
        (x,), (e,) = canvas.links("link"), canvas.links("link_error")

        assert stamps(x) == {"trace": 1, "called": True, "mark": "x"} | in_group(canvas)
        assert stamps(e) == {"trace": 1, "mark": "e"} | in_group(canvas)


def in_group(canvas: Any) -> dict[str, Any]:
    return {"in_group": True} if isinstance(canvas, group) else {}


def test_stamping_a_copy_leaves_the_callbacks_of_the_original_alone(t: Any) -> None:
    sig = t("a")
    sig.link(t("x"))
    sig.clone().stamp(trace=1)

    assert stamps(sig.links("link")[0]) == {}


def test_a_set_is_stored_as_a_list_and_tasks_are_revoked_by_any_of_their_stamps(
    app: LiteQ,
) -> None:
    @app.task
    def look() -> None: ...

    sent = [look.s().stamp(trace=value).delay() for value in ({"b", "a"}, ["c", "d"], "e", 6)]
    chained = (look.s() | look.si()).stamp(trace="f").delay()
    revoke = app.control.revoke_by_stamped_headers

    assert revoke({"trace": ["a", "d"]}) == [sent[0].id, sent[1].id]
    assert revoke({"trace": "e", "other": "e"}) == [sent[2].id]
    assert revoke({"trace": "6"}) == []
    assert revoke({"trace": 6}) == [sent[3].id]
    assert revoke({"trace": "f"}) == [chained.parent.id, chained.id]
    assert message_of(sent[0]).options == (
        '{"stamped_headers":["trace"],"stamps":{"trace":["a","b"]}}'
    )
