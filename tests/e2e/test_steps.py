"""Durable steps in real workers, in all pools, on a file and on Redis."""

import sys
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import EventTimeoutError, SerializationError
from liteq.model.message import Receipt
from liteq.states import Phase
from tests.e2e.project import Project, alive, children_of, has_lines, wait_for

SOURCE = """
import os, signal, time
from liteq import LiteQ, Snooze
from liteq.exceptions import SoftTimeLimitExceeded

app = LiteQ("project", broker="STORE", task_max_lost=50)

def note(path, text):
    with open(path, "a") as file:
        file.write(f"{text}\\n")
    return text

def hold(path):
    note(path, "held")
    while not os.path.exists(f"{path}.go"):
        time.sleep(0.005)

@app.task
def add(x, y):
    return x + y

@app.task(bind=True)
def order(self, path):
    note(path, "run")
    paid = self.step("charge", note, path, "charged")
    self.sleep("cool down", seconds=0.1)
    approval = self.wait_for(f"approved:{self.request.id}", timeout=60)
    sums = self.gather(add.s(1, 2), add.s(3, 4))
    return [paid, approval, sums]

@app.task(bind=True)
def fragile(self, path):
    for n in range(3):
        self.step(f"step {n}", note, path, f"step {n}")
        if not os.path.exists(f"{path}.{n}"):
            note(f"{path}.{n}", "killed here")
            os.kill(os.getpid(), signal.SIGKILL)
    return "done"

@app.task(bind=True)
def holding(self, path):
    first = self.step("first", note, path, "first")
    self.step("hold", hold, path)
    return self.step("last", note, path, "last")

@app.task(bind=True)
def unstorable(self):
    self.step("file", open, os.devnull)

@app.task(bind=True, soft_time_limit=0.2)
def slow(self, path):
    try:
        self.step("first", note, path, "first")
        self.step("sleepy", time.sleep, 60)
    except SoftTimeLimitExceeded:
        return self.step("second", note, path, "second")

@app.task(bind=True)
def waits(self, key, timeout=None):
    return self.wait_for(key, timeout)

@app.task
def emits(key):
    return app.emit(key, "from a task")

@app.task(bind=True)
def many(self, n):
    return sum(self.step(f"step {i}", add, i, 1) for i in range(n))

@app.task(bind=True)
def snoozes(self, path):
    note(path, "run")
    if len(open(path).readlines()) < 3:
        raise Snooze(0.05)
    return self.request.retries
"""

POOLS = ["processes", "threads", "asyncio", "solo"]


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'project.db'}?durability=fast"
    url: str = request.getfixturevalue("redis_store")
    return url


@pytest.fixture
def project(tmp_path: Path, store: str) -> Project:
    return Project(tmp_path, SOURCE.replace("STORE", store))


@pytest.fixture
def app(store: str) -> Any:
    app = LiteQ("caller", broker=store, set_as_current=False)
    yield app
    app.close()


def sent(app: LiteQ, name: str, *args: object) -> Any:
    return app.send_task(f"project.{name}", args)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


@pytest.mark.parametrize("pool", POOLS)
def test_a_task_goes_through_all_that_it_waits_for(
    project: Project, app: LiteQ, tmp_path: Path, pool: str
) -> None:
    path = tmp_path / "notes"
    with project.worker("-P", pool):
        results = [sent(app, "order", str(path)) for _ in range(5)]
        for result in results:
            app.emit(f"approved:{result.id}", "yes")
        values = [result.get(timeout=30) for result in results]

    assert values == [["charged", "yes", [3, 7]]] * 5
    assert lines(path).count("charged") == 5
    assert {each.outcome for each in results[0].attempts()} == {
        "slept",
        "awaited",
        "gathered",
        "succeeded",
    }


def test_a_step_is_not_repeated_after_its_process_was_killed(
    project: Project, app: LiteQ, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    with project.worker():
        assert sent(app, "fragile", str(path)).get(timeout=30) == "done"

    assert lines(path) == ["step 0", "step 1", "step 2"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_step_is_not_repeated_after_its_worker_was_killed(
    project: Project, app: LiteQ, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    with project.worker() as first:
        result = sent(app, "holding", str(path))
        wait_for(has_lines(path, 2))
        children = children_of(first.pid)
        first.kill()
        wait_for(lambda: not any(map(alive, children)))
    (tmp_path / "notes.go").touch()
    with project.worker():
        assert result.get(timeout=30) == "last"

    assert lines(path) == ["first", "held", "held", "last"]


@pytest.mark.parametrize("pool", ["processes", "threads", "asyncio"])
def test_a_run_whose_task_was_taken_ends_at_its_next_step(
    project: Project, app: LiteQ, tmp_path: Path, pool: str
) -> None:
    path = tmp_path / "notes"
    with project.worker("-P", pool, "-c", "1") as worker:
        result = sent(app, "holding", str(path))
        wait_for(has_lines(path, 2))
        app.broker.release([receipt_of(app, result.id)])  # as if another worker had rescued it
        (tmp_path / "notes.go").touch()
        assert result.get(timeout=30) == "last"
        worker.wait_for_line("claim lost")

    assert lines(path).count("last") == 1
    assert lines(path).count("first") == 1


def receipt_of(app: LiteQ, id: str) -> Receipt:
    """Return the receipt of the claim of a running task."""
    (record,) = app.broker.fetch([id])
    assert record is not None
    assert record.phase is Phase.RUNNING
    return Receipt(record.seq if app.broker.url.startswith("sqlite") else id, record.token)


def test_a_value_that_cannot_be_stored_fails_the_task_at_once(project: Project, app: LiteQ) -> None:
    with project.worker():
        result = sent(app, "unstorable")
        with pytest.raises(SerializationError, match="the step 'file' returned is a TextIOWrapper"):
            result.get(timeout=30)

    assert app.broker.steps(result.id) == []


def test_a_soft_time_limit_that_ends_a_step_leaves_the_next_ones_as_they_are(
    project: Project, app: LiteQ, tmp_path: Path
) -> None:
    with project.worker():
        result = sent(app, "slow", str(tmp_path / "notes"))
        assert result.get(timeout=30) == "second"

    assert [step.name for step in app.broker.steps(result.id)] == ["first", "second"]


def test_a_thousand_steps(project: Project, app: LiteQ) -> None:
    """None waits for the next look at the stream, which comes after 50 ms in a long task."""
    with project.worker():
        assert sent(app, "many", 1000).get(timeout=30) == sum(range(1001))


@pytest.mark.parametrize("pool", POOLS)
def test_a_snoozing_task_runs_until_it_has_what_it_wants(
    project: Project, app: LiteQ, tmp_path: Path, pool: str
) -> None:
    with project.worker("-P", pool):
        assert sent(app, "snoozes", str(tmp_path / "notes")).get(timeout=30) == 0


def test_an_event_comes_from_a_task_or_from_the_command_line(
    project: Project, app: LiteQ, store: str
) -> None:
    with project.worker():
        by_task, by_hand = sent(app, "waits", "by task"), sent(app, "waits", "by hand")
        never = sent(app, "waits", "never", 0.2)
        assert sent(app, "emits", "by task").get(timeout=30) is True
        assert project.liteq("emit", "by hand", '{"ok": 1}', "-A", "project") == "emitted\n"
        shown = project.liteq("emit", "by hand", "-b", store, "--json")
        assert by_task.get(timeout=30) == "from a task"
        assert by_hand.get(timeout=30) == {"ok": 1}
        with pytest.raises(EventTimeoutError):
            never.get(timeout=30)

    assert '"first": false' in shown


def test_a_wrong_key_or_value_on_the_command_line_is_an_error(project: Project) -> None:
    key = project.liteq("emit", "a\tb", "-A", "project", code=65)
    value = project.liteq("emit", "key", "{not json", "-A", "project", code=2)

    assert "cannot be a key of an event: give 1 to 255 printable characters" in key
    assert "is not a JSON value" in value


def test_a_sleeping_task_is_shown_as_what_it_is(project: Project, app: LiteQ) -> None:
    with project.worker():
        waiting, for_a_time = sent(app, "waits", "key"), sent(app, "waits", "other", 600)
        wait_for(lambda: app.broker.steps(waiting.id) and app.broker.steps(for_a_time.id))
    why = project.liteq("why", waiting.id, for_a_time.id, "-A", "project")
    graph = project.liteq("graph", waiting.id, "-A", "project", "--mermaid")

    assert f"{waiting.id}: it waits for the event 'key'\n" in why
    assert f"{for_a_time.id}: it waits for the event 'other', until" in why
    assert "wait key: pending" in graph
    assert (waiting.state, for_a_time.state) == ("PENDING", "PENDING")
    assert [step.state for step in waiting.steps()] == ["pending"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_slot_is_held_by_tasks_that_wait(project: Project, app: LiteQ) -> None:
    with project.worker("-c", "1"):
        waiting = [sent(app, "waits", "key") for _ in range(20)]
        assert sent(app, "add", 1, 2).get(timeout=30) == 3
        wait_for(lambda: all(app.broker.steps(each.id) for each in waiting))
        app.emit("key", "now")
        assert [each.get(timeout=30) for each in waiting] == ["now"] * 20
