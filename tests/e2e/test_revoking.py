"""Tasks are revoked while real workers run them, and dead ones are tried again."""

import json
import os
from pathlib import Path

import pytest

from tests.e2e.project import TERM, Project, alive, wait_for

SOURCE = """
import os, subprocess, time
from pathlib import Path
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db?durability=fast")

@app.task(bind=True)
def long(self, path, others=0):
    child = subprocess.Popen(["sleep", "1000"])
    Path(path).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(1000)

@app.task
def add(x, y):
    return x + y

@app.task
def touch(path):
    Path(path).touch()
    while not os.path.exists("go"):
        time.sleep(0.01)

@app.task(bind=True, max_retries=1)
def stubborn(self):
    try:
        if not os.path.exists("mended"):
            raise OSError("the printer is on fire")
    except OSError as exc:
        raise self.retry(exc=exc, countdown=0)
    return "printed"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, SOURCE)


def pids(path: Path) -> list[int]:
    """Return the task's process and the one that it started."""

    def both() -> list[int]:
        found = path.read_text().split() if path.exists() else []
        return [int(pid) for pid in found] if len(found) == 2 else []

    return wait_for(both, "the task")


def test_a_running_task_is_ended_with_all_it_started(project: Project) -> None:
    with project.worker() as worker:
        project.python("""
from project import *
from liteq.exceptions import TaskRevokedError
result = long.apply_async(("pids",), task_id="a")
""")
        running = pids(project.folder / "pids")
        project.python("""
from project import *
from liteq.exceptions import TaskRevokedError
result = app.AsyncResult("a")
result.revoke(terminate=True, wait=True, timeout=10)
assert result.state == "REVOKED", result.state
assert result.ready() and not result.failed()
try:
    result.get()
except TaskRevokedError:
    print("as it should be")
else:
    raise AssertionError("it returned")
assert add.delay(2, 3).get(timeout=10) == 5
""")
        wait_for(lambda: not any(map(alive, running)), "the end of the processes")
        worker.wait_for_line(r"Task project.long\[a\] terminated: Terminated")


LISTENING = """
import os
from liteq import signals
from project import app

def note(signal, **named):
    request = named.get("request")
    words = [signal.name, str(os.getpid())]
    if request is not None:
        words += [request.id, str(named.get("terminated")), str(named.get("expired"))]
    with open("signals", "a") as file:
        print(*words, file=file)

for name in "worker_ready worker_process_init task_received task_revoked worker_shutdown".split():
    getattr(signals, name).connect(note)
"""


def test_signals_are_sent_about_a_worker_and_its_tasks(project: Project) -> None:
    project.write("listening.py", LISTENING)
    with project.worker("-A", "listening", "-c", "1") as worker:
        source = "from project import long; print(long.delay('started').id)"
        id = project.python(source).strip()
        child, _ = pids(project.folder / "started")
        project.liteq("revoke", "-A", "project", "--terminate", id)
        worker.wait_for_line(f"{id}.*terminated")
        worker.send(TERM)
        assert worker.wait() == 0

    sent = (project.folder / "signals").read_text().splitlines()
    assert sent[0] == f"worker_ready {worker.pid}" or sent[0] == f"worker_process_init {child}"
    assert f"worker_process_init {child}" in sent
    assert f"task_received {child} {id} None None" in sent
    assert f"task_revoked {worker.pid} {id} True False" in sent
    assert sent[-1] == f"worker_shutdown {worker.pid}"


def test_other_running_tasks_go_on(project: Project) -> None:
    with project.worker("-c", "2"):
        project.python("""
from project import *
long.apply_async(("first",), task_id="first")
long.apply_async(("second",), task_id="second")
""")
        first, second = pids(project.folder / "first"), pids(project.folder / "second")
        project.liteq("revoke", "first", "--terminate", "-A", "project")
        wait_for(lambda: not any(map(alive, first)), "the end of the first")
        assert all(map(alive, second))
        assert json.loads(project.liteq("dead", "list", "--json", "-A", "project"))["tasks"] == []
        out = json.loads(
            project.liteq("inspect", "query_task", "first", "second", "--json", "-A", "project")
        )
        states = {task["id"]: (task["state"], task["lost"]) for task in out["tasks"]}
        assert states["first"][0] == "REVOKED"
        assert states["second"] == ("STARTED", 0)


def test_a_task_is_revoked_though_no_worker_is_up(project: Project) -> None:
    project.python("""
from project import *
for id in "abc":
    touch.apply_async((id,), task_id=id, headers={"customer": id})
add.apply_async((1, 1), task_id="sum")
assert app.control.revoke_by_headers({"customer": ["a", "b"]}) == ["a", "b"]
assert app.control.revoke_by_name("project.touch") == ["c"]
assert [app.AsyncResult(id).state for id in "abc"] == ["REVOKED"] * 3
""")
    with project.worker():
        project.python("""
from project import *
assert app.AsyncResult("sum").get(timeout=10) == 2
""")
    assert not any((project.folder / id).exists() for id in "abc")


def test_a_revoked_task_in_a_child_s_backlog_is_not_run(project: Project) -> None:
    """Short tasks wait in the child; one that is revoked there is taken back."""
    with project.worker("-c", "1"):
        project.python("""
from project import *
[each.get(timeout=20) for each in [add.delay(n, n) for n in range(300)]]
app.enqueue_many([touch.s(str(n)).set(task_id=f"t{n}") for n in range(8)])
""")
        wait_for((project.folder / "0").exists, "the first one")
        project.liteq("revoke", "t7", "--terminate", "-A", "project")
        (project.folder / "go").touch()
        project.python("""
from project import *
assert app.AsyncResult("t6").get(timeout=20) is None
assert app.AsyncResult("t7").state == "REVOKED"
assert add.delay(1, 1).get(timeout=10) == 2
""")
    assert not (project.folder / "7").exists()


def test_a_task_whose_retries_are_used_up_is_set_aside_with_its_history(project: Project) -> None:
    with project.worker():
        project.python("""
from project import *
result = stubborn.apply_async(task_id="a")
try:
    result.get(timeout=20)
except OSError as exc:
    assert str(exc) == "the printer is on fire"
else:
    raise AssertionError("it was printed")
assert result.state == "FAILURE"
first, last = result.attempts()
assert (first.outcome, last.outcome) == ("retry", "dead"), result.attempts()
assert first.ended <= last.started
assert "OSError" in first.error and "OSError" in last.error
assert [each.id for each in app.dead_letters] == ["a"]
""")
        listed = project.liteq("dead", "list", "-A", "project")
        assert "project.stubborn" in listed
        assert "OSError: the printer is on fire" in listed
        story = project.liteq("dead", "show", "a", "-A", "project")
        assert "attempt 1: retry" in story
        assert "attempt 2: dead" in story

        (project.folder / "mended").touch()
        project.liteq("dead", "retry", "a", "-A", "project")
        project.python("""
from project import *
assert app.AsyncResult("a").get(timeout=20) == "printed"
assert [each.outcome for each in app.AsyncResult("a").attempts()] == ["retry", "dead", "succeeded"]
assert len(app.dead_letters) == 0
""")
    project.liteq("dead", "retry", "a", "-A", "project", code=1)
    project.liteq("dead", "purge", "-A", "project", code=2)


def test_neighbours_of_a_killed_supervisor_are_not_charged(project: Project) -> None:
    """One task was running, and others waited behind it in the same child."""
    with project.worker("-c", "1") as worker:
        project.python("""
from project import *
[each.get(timeout=20) for each in [add.delay(n, n) for n in range(300)]]
app.enqueue_many([add.s(1, 1).set(task_id=f"a{n}") for n in range(3)]
    + [long.s("pids").set(task_id="long")] + [add.s(1, 1).set(task_id=f"b{n}") for n in range(3)])
""")
        pids(project.folder / "pids")
        os.kill(worker.pid, 9)
        worker.wait()
    project.python("""
from project import *
from liteq.model.outcome import Policy
from liteq.serializers import get
from liteq.worker.rescue import rescue
rescue(app.broker, Policy(), get("json"))
lost = {each.message.id: each.lost for each in app.broker.listing(range(9), 1000)}
assert lost.pop("long") == 1
assert set(lost.values()) == {0}, lost
""")
