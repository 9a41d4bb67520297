"""Errbacks of canvases: which of them are called, how often, and with the id of which task."""

from collections.abc import Callable
from typing import Any

import pytest

from liteq import LiteQ, chain, chord, group
from liteq.testing import drain

from .conftest import Oops


class Tasks:
    """Tasks that succeed and fail, and errbacks of both kinds, which note what they are called
    with."""

    def __init__(self, app: LiteQ) -> None:
        self.noted: list[tuple[str, str]] = []
        self.app = app
        self.ok = app.task(name="ok")(lambda *args: 1)
        self.fail = app.task(name="fail")(self._fail)
        self.by_id = app.task(name="by_id")(self._by_id)
        self.by_request = app.task(name="by_request")(self._by_request)

    def both(self, canvas: Any, text: str = "canvas") -> Any:
        """Link both kinds of errbacks to `canvas`, which they note as `text`; return it."""
        canvas.link_error(self.by_id.s(text))
        canvas.link_error(self.by_request.s(text))
        return canvas

    def called(self, canvas: Any, how: str, **options: Any) -> list[tuple[str, str]]:
        """Run `canvas`; return what was noted: the text, and the place of the task among all."""
        self.noted.clear()
        canvas.freeze()
        places = {leaf.id: f"{n} {leaf.task}" for n, leaf in enumerate(canvas.leaves())}
        getattr(canvas, how)(**options)
        drain(self.app)
        return sorted((text, places[id]) for text, id in self.noted)

    def _fail(self, *args: Any) -> None:
        raise Oops("no")

    def _by_id(self, id: str, text: str) -> None:
        self.noted.append((text, id))

    def _by_request(self, request: Any, exc: Exception, traceback: Any, text: str) -> None:
        self.noted.append((text, request.id))


@pytest.fixture
def t(app: LiteQ) -> Tasks:
    return Tasks(app)


runs = pytest.mark.parametrize("how", ["apply_async", "apply"])

STEPS: dict[str, tuple[Callable[[Tasks], Any], int, list[int]]] = {
    # what fails, how many tasks it has, and the places of those that do
    "task": (lambda t: t.fail.s(), 1, [0]),
    "chain that fails within": (lambda t: chain(t.ok.si(), t.fail.s(), t.ok.si()), 3, [1]),
    "chain that fails at its end": (lambda t: chain(t.ok.si(), t.fail.s()), 2, [1]),
    "chain that fails at its start": (lambda t: chain(t.fail.si(), t.ok.s()), 2, [0]),
    "group": (lambda t: group(t.ok.si(), t.fail.s(), t.fail.s()), 3, [1, 2]),
    "chord with such a body": (lambda t: chord([t.ok.si()], t.fail.s()), 2, [1]),
    "chord with such a chain": (lambda t: chord([t.ok.si()], t.fail.s() | t.ok.s()), 3, [1]),
}


@runs
@pytest.mark.parametrize("kind", STEPS)
def test_errbacks_of_a_chord_get_the_id_of_its_body_if_the_header_fails(
    t: Tasks, kind: str, how: str
) -> None:
    make, size, _ = STEPS[kind]
    canvas = t.both(chord([make(t), t.ok.si()], t.ok.s()))

    assert t.called(canvas, how) == [("canvas", f"{size + 1} ok")] * 2


@runs
@pytest.mark.parametrize("kind", STEPS)
def test_errbacks_of_a_chord_get_the_id_of_what_fails_in_its_body(
    t: Tasks, kind: str, how: str
) -> None:
    make, _, failing = STEPS[kind]
    canvas = t.both(chord([t.ok.si()], make(t)))

    wanted = [("canvas", f"{1 + n} fail") for n in failing for _ in range(2)]
    assert t.called(canvas, how) == wanted


@runs
def test_errbacks_of_a_body_and_of_the_call_are_both_called(t: Tasks, how: str) -> None:
    bodies: dict[str, tuple[Any, list[str]]] = {
        "group": (group(t.ok.s(), t.fail.s()), ["2 fail"]),
        "group with a chord": (group(chord([t.fail.s()], t.ok.s()), t.ok.s()), ["2 ok"]),
        "chord": (chord([t.ok.s(), t.fail.s()], t.ok.s()), ["3 ok"]),
        "chain with a chord": (chain(t.ok.s(), chord([t.fail.s()], t.ok.s())), ["3 ok"]),
    }
    for body, places in bodies.values():
        canvas = chord([t.ok.si()], t.both(body, "own"))
        called = t.called(canvas, how, link_error=t.by_id.s("call"))

        assert called == [("call", place) for place in places] + [
            ("own", place) for place in places for _ in range(2)
        ]


@runs
def test_each_member_of_a_body_fails_with_the_header(t: Tasks, how: str) -> None:
    body = t.both(group(t.ok.s(), chord([t.ok.s()], t.ok.s())), "own")
    called = t.called(chord([t.fail.si()], body), how, link_error=t.by_id.s("call"))

    assert called == [("call", "1 ok"), ("call", "3 ok")] + [
        ("own", place) for place in ("1 ok", "1 ok", "3 ok", "3 ok")
    ]


@runs
def test_errbacks_of_a_header_are_called_for_its_members(t: Tasks, how: str) -> None:
    header = t.both(group(t.fail.s(), t.ok.s(), t.fail.s()), "header")
    called = t.called(chord(header, t.ok.s()), how, link_error=t.by_id.s("call"))

    assert called == [("call", "3 ok")] + [
        ("header", place) for place in ("0 fail", "0 fail", "2 fail", "2 fail")
    ]


@runs
def test_errbacks_of_an_inner_chain_are_called_when_its_first_step_fails(
    t: Tasks, how: str
) -> None:
    inner = t.both(chain(t.fail.s(), t.ok.s()), "inner")
    for canvas, place in (
        (chord([t.ok.si()], inner), "1 fail"),
        (chord([t.ok.si()], chord([t.ok.s()], inner)), "2 fail"),
        (chord([t.ok.si(), chord([t.ok.s()], inner)], t.ok.s()), "2 fail"),
        (chain(t.ok.si(), t.ok.s(), inner, t.ok.s()), "2 fail"),
    ):
        assert t.called(canvas, how) == [("inner", place)] * 2


@runs
def test_an_errback_that_is_given_twice_is_called_once(t: Tasks, how: str) -> None:
    canvas = chord([t.fail.si(), t.fail.si()], t.ok.s())
    canvas.link_error(t.by_id.s("same"))

    assert t.called(canvas, how, link_error=t.by_id.s("same")) == [("same", "2 ok")]


def test_errbacks_are_called_in_each_run_of_a_frozen_canvas(t: Tasks) -> None:
    canvas = chord([t.fail.si()], t.ok.s())
    errback = t.by_id.s("canvas")
    errback.freeze()
    canvas.link_error(errback)
    canvas.freeze()
    runs = [canvas.apply_async() for _ in range(2)]
    drain(t.app)

    assert sorted(t.noted) == sorted(("canvas", run.id) for run in runs)
