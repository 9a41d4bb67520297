"""Workflows in real workers: every shape of Celery's canvas, on a file."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from liteq import chain, chord, group, signature
from liteq.exceptions import ChordError, ImproperlyConfigured
from liteq.result import AsyncResult, GroupResult, result_from_tuple

from .project import Project, wait_for

TASKS = """
import time
from liteq import LiteQ, signature

app = LiteQ("project", broker="sqlite:///%s/project.db?durability=fast")

@app.task
def add(x, y=0):
    return x + y

@app.task
def mul(x, y):
    return x * y

@app.task
def tsum(numbers):
    return sum(numbers)

@app.task
def same(value):
    return value

@app.task
def nap(seconds):
    time.sleep(seconds)
    return seconds

class Expected(Exception):
    pass

@app.task
def fail(*args):
    raise Expected(*args)

@app.task(bind=True)
def where(self, *_):
    request = self.request
    return [request.id, request.parent_id, request.root_id, request.group]

@app.task(bind=True)
def swap(self, sig, *_):
    return self.replace(signature(sig))

@app.task(bind=True, max_retries=3)
def stubborn(self, x):
    if self.request.retries < 2:
        raise self.retry(countdown=0.05)
    return x

@app.task(bind=True)
def more(self, *numbers):
    for n in numbers:
        self.add_to_chord(add.s(n, n))
    return 0

@app.task(ignore_result=True)
def note(path, text):
    with open(path, "a") as file:
        file.write(str(text) + "\\n")

@app.task
def note_id(id, path):
    note.run(path, id)

@app.task
def note_error(request, exc, traceback, path):
    note.run(path, f"{request.id} {exc!r} {'raise Expected' in (traceback or '')}")

@app.task(ignore_result=True)
def quiet(x):
    return x + 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workflows")


@pytest.fixture(scope="module")
def t(folder: Path) -> Iterator[ModuleType]:
    """Yield the project's module, while a worker runs."""
    yield from served(folder, TASKS % folder.as_posix())


def served(folder: Path, source: str) -> Iterator[ModuleType]:
    """Yield the module of this `source`, while a worker runs."""
    project = Project(folder, source)
    spec = importlib.util.spec_from_file_location("project", folder / "project.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["project"] = module  # its errors are looked up there
    spec.loader.exec_module(module)
    with project.worker("-c", "3"):
        yield module
    module.app.close()
    del sys.modules["project"]


@pytest.fixture
def book(tmp_path: Path) -> str:
    """Return the path of a file that callbacks and errbacks write to."""
    return str(tmp_path / "book")


def lines(book: str, count: int) -> list[str]:
    """Return the lines that they wrote, when there are `count`."""
    path = Path(book)
    wait_for(lambda: path.exists() and path.read_text().count("\n") >= count, "the lines")
    return path.read_text().splitlines()


def get(canvas: Any, *args: Any) -> Any:
    return canvas.apply_async(args).get(timeout=30)


# values


def test_every_shape_comes_to_its_value(t: Any) -> None:
    pair = group(t.add.s(1, 1), t.add.s(2, 2))
    shapes: list[tuple[Any, Any]] = [
        (t.add.s(1, 1) | t.add.s(2) | t.mul.s(10), 40),
        (chain(t.add.s(n) for n in range(3)), 3),
        (pair, [2, 4]),
        (group(), []),
        (group(t.same.s(n) for n in range(1000)), list(range(1000))),
        (chord(pair, t.tsum.s()), 6),
        (chord(t.same.s(42), t.same.s()), [42]),
        (chord([], t.same.s()), []),
        (pair | t.tsum.s(), 6),
        (pair | group(t.same.s(), t.same.s()), [[2, 4], [2, 4]]),
        (pair | group(t.tsum.s(), t.same.s()), [6, [2, 4]]),
        (t.add.s(1, 1) | group(t.add.s(1), t.add.s(2)), [3, 4]),
        (t.add.s(1, 1) | group(t.add.s(1), t.add.s(2)) | t.tsum.s() | t.add.s(1), 8),
        (t.add.s(1, 1) | group(t.add.s(1)) | t.add.s(1), 4),
        (group(t.same.s(1), t.same.s(2) | group(t.same.s(), t.add.s(1))), [1, [2, 3]]),
        (group(t.same.s(2) | group(t.same.s(), t.add.s(1))), [2, 3]),
        (chord([t.same.s(2) | group(t.same.s(), t.add.s(1))], t.same.s()), [[2, 3]]),
        (chain(t.add.s(1, 1)), 2),
        (chord([t.same.s(42)], chain(t.same.s())), [42]),
        (group(chord(pair, t.tsum.s()), t.same.s(1)), [6, 1]),
        (chord(pair, group(t.tsum.s(), t.tsum.s()) | t.tsum.s()), 12),
        (
            chord([pair, chain(t.add.s(1, 1), t.add.s(1)), chord(pair, t.tsum.s())], t.same.s()),
            None,
        ),
        (chain(pair, t.tsum.si([1, 2]), t.add.s(1)), 4),
        (t.add.map([(1), (2)]) | t.tsum.s(), 3),
        (t.add.chunks([(1, 1), (2, 2), (3, 3)], 2).group(), [[2, 4], [6]]),
        (group(t.stubborn.s(1), t.stubborn.s(2)) | t.tsum.s(), 3),
        (t.quiet.s(1) | group(t.quiet.s(), t.quiet.s()) | t.tsum.s(), 6),
    ]
    results = [canvas.apply_async() for canvas, _ in shapes]

    for (canvas, expected), result in zip(shapes, results, strict=True):
        wanted = canvas.apply().get() if expected is None else expected
        assert result.get(timeout=60) == wanted, canvas


def test_nine_chords_in_a_row(t: Any) -> None:
    canvas: Any = t.add.s(1)
    for _ in range(9):
        canvas = canvas | group(t.add.s(1), t.add.s(2)) | t.tsum.s()

    assert get(canvas, 0) == canvas.apply((0,)).get()


def test_a_chain_of_a_thousand_steps(t: Any) -> None:
    assert get(chain([t.add.s(0, 0)] + [t.add.s(1)] * 1000)) == 1000


def test_a_canvas_that_was_json_runs_as_it_was(t: Any) -> None:
    canvas = group(t.add.s(1), t.add.s(2) | t.add.s(3)) | t.tsum.s()
    again = signature(json.loads(json.dumps(canvas)), app=t.app)

    assert get(again, 0) == 6


def test_a_result_that_was_a_tuple_has_all_before_it(t: Any) -> None:
    result = (t.add.s(1, 1) | group(t.add.s(1), t.add.s(2)) | t.tsum.s()).apply_async()
    again = result_from_tuple(json.loads(json.dumps(result.as_tuple())), app=t.app)

    assert again.get(timeout=30) == 7
    assert isinstance(again.parent, GroupResult)
    assert again.parent.get() == [3, 4]
    assert again.parent.parent is not None
    assert again.parent.parent.get() == 2


# parents and roots


def test_ids_of_parents_and_roots(t: Any) -> None:
    result = (t.where.s() | group(t.where.s(), t.where.s()) | t.where.s()).apply_async()
    body, header = result.get(timeout=30), result.parent.get()
    first = result.parent.parent.get()

    assert first[1:3] == [None, first[0]]
    assert [each[1:] for each in header] == [[first[0], first[0], result.parent.id]] * 2
    assert body[1] in result.parent.results
    assert body[2] == first[0]


def test_a_frozen_canvas_runs_under_its_ids(t: Any) -> None:
    canvas = t.where.s() | t.where.s()
    frozen = canvas.freeze()

    result = canvas.apply_async()

    assert result.get(timeout=30)[0] == frozen.id == result.id
    assert result.parent.get(timeout=30)[0] == frozen.parent.id


def test_a_frozen_canvas_that_is_sent_again_is_another_run(t: Any) -> None:
    canvas = t.add.s(1, 1) | group(t.add.s(1), t.add.s(2)) | t.tsum.s()
    frozen = canvas.freeze()
    first, second = canvas.apply_async(), canvas.apply_async()

    assert (first.get(timeout=30), second.get(timeout=30)) == (7, 7)
    assert first.id == frozen.id != second.id


# failures


def test_the_error_of_a_step_is_raised_at_once(t: Any) -> None:
    result = (t.add.s(1) | t.fail.s("no") | t.add.s(1) | t.add.s(1)).apply_async()

    with pytest.raises(t.Expected):
        result.get(timeout=30)
    assert [result.state, result.parent.state] == ["FAILURE", "FAILURE"]


@pytest.mark.parametrize("kind", ["task", "chain", "group", "chord"])
def test_a_body_of_any_kind_fails_with_its_header(t: Any, kind: str) -> None:
    bodies = {
        "task": t.tsum.s(),
        "chain": t.tsum.s() | t.add.s(1),
        "group": group(t.tsum.s(), t.tsum.s()),
        "chord": chord([t.tsum.s()], t.tsum.s()),
    }
    header = [t.add.s(1), t.fail.s("first"), t.add.s(1) | t.fail.s() | t.add.s(2)]
    result = chord(header, bodies[kind]).apply_async()

    with pytest.raises(t.Expected):
        result.get(timeout=30)
    for leaf in result.leaves():
        wait_for(leaf.ready, "the end of the body")
        assert isinstance(leaf.result, ChordError)


def test_the_error_of_an_inner_chord_is_that_of_the_outer(t: Any, book: str) -> None:
    inner = chord([t.fail.s("deep"), t.add.s(1)], t.tsum.s())
    canvas = chord([inner, t.add.s(1)], t.tsum.s())
    canvas.link_error(t.note_id.s(book))
    result = canvas.apply_async()

    with pytest.raises(t.Expected):
        result.get(timeout=30)
    assert lines(book, 1) == [result.id]


def test_a_task_that_is_killed_in_a_header_fails_the_body(t: Any) -> None:
    slow = t.nap.s(60).set(time_limit=0.2)
    result = chord([slow, t.add.s(1)], t.tsum.s()).apply_async()

    with pytest.raises(Exception, match="time limit"):
        result.get(timeout=30)


def test_values_and_errors_are_passed_on_where_that_is_asked_for(t: Any) -> None:
    tolerant = chord([t.add.s(1), t.fail.s("no"), t.fail.s()], t.same.s(), on_error="continue")
    result = tolerant.apply_async()

    one, first, second = result.get(timeout=30)
    assert (one, type(first), first.args, type(second)) == (1, t.Expected, ("no",), t.Expected)


def test_revoking_a_chain_ends_the_waiting_tasks(t: Any) -> None:
    result = (t.nap.s(1) | t.add.s(1) | t.add.s(2)).apply_async()
    wait_for(lambda: t.app.broker.fetch([result.parent.parent.id])[0].started, "the start")
    result.revoke()

    assert result.state == "REVOKED"


@pytest.mark.parametrize("how", ["result", "command"])
def test_a_workflow_is_revoked_by_the_id_of_the_group_at_its_end(
    t: Any, folder: Path, how: str
) -> None:
    result = (t.nap.s(60) | group(t.same.s(), t.same.s() | t.same.s())).apply_async()
    wait_for(lambda: t.app.broker.fetch([result.parent.id])[0].started, "the start")

    if how == "result":
        t.app.AsyncResult(result.id).revoke(terminate=True)
    else:
        project = Project(folder, TASKS % folder.as_posix())
        project.liteq("revoke", result.id, "--terminate", "-b", t.app.broker.url)

    everything = [result.parent, *result.leaves()]
    wait_for(lambda: all(each.ready() for each in everything), "the end")
    assert {each.state for each in everything} == {"REVOKED"}


@pytest.mark.parametrize("how", ["result", "command"])
def test_a_workflow_is_revoked_by_its_id_alone(t: Any, folder: Path, how: str) -> None:
    header = [*(t.nap.s(60) for _ in range(3)), *(t.nap.s(60) | t.add.s(n) for n in range(3))]
    result = chord(header, t.tsum.s() | t.add.s(1)).apply_async()
    running = result.parent.parent[0]
    wait_for(lambda: t.app.broker.fetch([running.id])[0].started, "the start")

    if how == "result":
        t.app.AsyncResult(result.id).revoke(terminate=True)
    else:
        project = Project(folder, TASKS % folder.as_posix())
        project.liteq("revoke", result.id, "--terminate", "-b", t.app.broker.url)

    everything = [result, result.parent, *result.parent.parent.leaves()]
    wait_for(lambda: all(each.ready() for each in everything), "the end")
    assert {each.state for each in everything} == {"REVOKED"}


# callbacks and errbacks


def test_links_are_called_with_the_outcome_of_a_task(t: Any, book: str) -> None:
    canvas = t.add.s(1, 1) | t.add.s(2)
    canvas.link(t.same.s() | t.note_id.s(book))
    good = canvas.apply_async()
    bad = t.fail.apply_async(
        ("no",), link_error=[t.note_error.s(book), t.note_id.s(book), t.note.si(book, "own")]
    )

    found = lines(book, 4)
    assert good.get(timeout=30) == 4
    assert sorted(found) == sorted(["4", "own", bad.id, f"{bad.id} Expected('no') True"])


def test_errbacks_of_chords_are_called_once_with_the_id_of_the_body(t: Any, book: str) -> None:
    canvas = chord([t.fail.s() for _ in range(42)], t.tsum.s() | t.add.s(1))
    canvas.link_error(t.note_id.s(book))
    canvas.link_error(t.note_error.s(book))
    result = canvas.apply_async()
    with pytest.raises(t.Expected):
        result.get(timeout=30)
    wait_for(result.ready, "the end of the body")

    found = lines(book, 2)
    assert len(found) == 2
    assert all(line.startswith(result.id) for line in found)


# tasks that change their workflow


def test_tasks_are_replaced_anywhere(t: Any) -> None:
    pair = group(t.add.s(1, 1), t.add.s(2, 2))
    sig = t.swap.si(pair | t.tsum.s())
    shapes: list[tuple[Any, Any]] = [
        (t.swap.s(t.add.s(1, 1)), 2),
        (t.swap.s(pair), [2, 4]),
        (t.swap.s(chord(pair, t.tsum.s())), 6),
        (sig | t.add.s(1), 7),
        (t.add.s(1) | sig | t.add.s(1), 7),
        (chord([t.same.s(1), sig, sig], t.same.s()), [1, 6, 6]),
        (chord([t.same.s(1)], sig | t.add.s(1)), 7),
        (chord([t.swap.s(group(t.same.s(n), t.same.s(n))) for n in range(20)], t.same.s()), None),
        (t.swap.s(t.swap.s(t.same.s(1) | t.add.s(1)) | t.add.s(1)) | t.add.s(10), 13),
    ]
    results = [canvas.apply_async() for canvas, _ in shapes]

    for (canvas, expected), result in zip(shapes, results, strict=True):
        wanted = [[n, n] for n in range(20)] if expected is None else expected
        assert result.get(timeout=60) == wanted, canvas
    with pytest.raises(ImproperlyConfigured):
        get(t.swap.s(chain()))


def test_tasks_of_a_header_add_others(t: Any) -> None:
    assert get(chord([t.more.s(1, 2), t.same.s(7)], t.same.s())) == [0, 7, 2, 4]


def test_a_workflow_that_a_task_sends_runs(t: Any) -> None:
    result = get(t.swap.s(t.where.s() | t.where.s()))

    assert isinstance(t.app.AsyncResult(result[0]), AsyncResult)
    assert result[2] == result[0]


# `liteq graph`


@pytest.mark.parametrize("form", ["--json", "--dot", "--mermaid", ""])
def test_a_workflow_is_shown_whichever_of_its_tasks_is_named(
    t: Any, folder: Path, form: str
) -> None:
    canvas = t.add.s(1, 1) | group(t.add.s(1), t.add.s(2) | t.add.s(3)) | t.tsum.s()
    result = canvas.apply_async()
    result.get(timeout=30)
    project = Project(folder, TASKS % folder.as_posix())
    asked = ("graph", result.parent[0].id, "-b", t.app.broker.url, *([form] if form else []))
    shown = project.liteq(*asked)

    if form == "--json":
        tasks = {each["id"]: each for each in json.loads(shown)["tasks"]}
        assert len(tasks) == 5
        assert sorted(tasks[result.id]["after"]) == sorted(each.id for each in result.parent)
        assert {each["state"] for each in tasks.values()} == {"SUCCESS"}
    else:
        assert shown.count("SUCCESS") == 5
        arrows = {"--dot": 5, "--mermaid": 5, "": 0}
        assert shown.count("->") == arrows[form] or shown.count("-->") == arrows[form]
    if not form:
        assert f"(after group {result.parent.id}: 2 of 2 ended)" in shown


def test_an_unknown_workflow_is_an_error(folder: Path) -> None:
    project = Project(folder, TASKS % folder.as_posix())

    project.python("from project import app; app.broker.counts()")  # a store without tasks
    assert "has no task nothing" in project.liteq("graph", "nothing", "-A", "project", code=1)
