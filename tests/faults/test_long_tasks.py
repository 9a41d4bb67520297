"""What is ready does not wait behind a task that runs long, whatever keeps its child."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.project import Project

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals and named pipes")

TASKS = r"""
import ctypes, os, signal
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")

def hold():
    "Wait for a byte in C code that holds the interpreter lock, like a sort that takes long."
    pipe = os.open("gate", os.O_RDONLY)
    ctypes.PyDLL(None).read(pipe, ctypes.create_string_buffer(1), 1)

def stop():
    os.close(os.open("gate", os.O_RDONLY))
    os.kill(os.getpid(), signal.SIGSTOP)

def run(n, how=""):
    with open("notes", "a") as file:
        file.write(f"{n} {os.getpid()}\n")
    if how:
        globals()[how]()
    return os.getpid()

quick = app.task(run, name="quick")
once = app.task(run, name="once", acks_late=False)
"""

# The first of many tasks that were short until now becomes long, until the others are done.
SEND = """
import os, signal, sys
from project import *
[r.get(timeout=25) for r in app.enqueue_many(quick.s(-1) for n in range(300))]
os.unlink("notes"); os.mkfifo("gate")
long, *others = app.enqueue_many(quick.s(n, "" if n else sys.argv[1]) for n in range(200))
gate = open("gate", "wb")
[r.get(timeout=25) for r in others]
print(long.ready())
child = next(int(line[2:]) for line in open("notes") if line.startswith("0 "))
os.kill(child, signal.SIGCONT)
if sys.argv[1] == "hold":
    gate.write(b"x")
gate.close()
print(long.get(timeout=25) == child)
print(quick.delay(200).get(timeout=25) > 0)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


def runs(project: Project) -> list[int]:
    """The numbers of the tasks that ran, in order."""
    lines = (project.folder / "notes").read_text().splitlines()
    return sorted(int(line.split()[0]) for line in lines)


@pytest.mark.parametrize("how", ["hold", "stop"])
@pytest.mark.parametrize("slots", [["2"], ["1", "1"]], ids=["one worker", "two workers"])
def test_what_waits_behind_a_task_that_keeps_its_child_runs_in_another_slot(
    project: Project, how: str, slots: list[str]
) -> None:
    with ExitStack() as workers:
        for number in slots:
            workers.enter_context(project.worker("-c", number))
        out = project.run("-c", SEND, how)

    assert out.split() == ["False", "True", "True"]
    assert runs(project) == list(range(201))


@pytest.mark.parametrize("task", ["quick", "once"])
def test_a_child_that_is_stopped_while_it_is_idle_keeps_no_task(
    project: Project, task: str
) -> None:
    send = "from project import *; print({}.delay({}).id)"
    get = "from project import *; print(app.AsyncResult({!r}).get(timeout=25))"
    with project.worker("-c", "1") as first:
        id = project.python(send.format(task, 0)).strip()
        child = int(project.python(get.format(id)))
        os.kill(child, signal.SIGSTOP)
        id = project.python(send.format(task, 1)).strip()
        with project.worker("-c", "1") as second:
            assert int(project.python(get.format(id))) != child
            second.send(signal.SIGTERM)
            assert second.wait() == 0
        id = project.python(send.format(task, 2)).strip()
        os.kill(child, signal.SIGCONT)
        assert int(project.python(get.format(id))) == child
        assert "Traceback" not in first.output

    assert runs(project) == [0, 1, 2]
