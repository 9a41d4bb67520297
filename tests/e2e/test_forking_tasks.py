"""Tasks that start processes: these end when they are told to, as in any program."""

import sys
from pathlib import Path

import pytest

from .project import TERM, Project, alive, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks")

FORKS = """
import multiprocessing, os, signal, subprocess, sys, time
from liteq import LiteQ, signals

app = LiteQ("project", broker="sqlite:///project.db")
fork = multiprocessing.get_context("fork")

def forever(pipe=None):
    if pipe is not None:
        pipe.send("up")
    time.sleep(600)

def defer(pipe):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    forever(pipe)

def ended(target, number):
    ours, theirs = fork.Pipe()
    process = fork.Process(target=target, args=(theirs,))
    process.start()
    ours.recv()
    os.kill(process.pid, number)
    process.join(20)
    return process.exitcode

@app.task
def signalled(number):
    return ended(forever, number)

@app.task
def own_handler():
    return ended(defer, signal.SIGTERM)

@app.task
def at_once():
    codes = set()
    for _ in range(50):
        process = fork.Process(target=forever)
        process.start()
        process.terminate()
        process.join(20)
        codes.add(process.exitcode)
    return list(codes)

@app.task
def leaves_a_pool():
    with fork.Pool(1) as pool:
        try:
            pool.apply_async(time.sleep, (600,)).get(timeout=0.1)
        except multiprocessing.TimeoutError:
            return "left"

@app.task(bind=True)
def returns_twice(self, how):
    self.pid = os.fork()
    if self.pid == 0:
        if how == "exit":
            sys.exit(3)
        if how == "raise":
            raise ValueError("of the forked process")
        print("printed by the forked process")
        return "forked"
    return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

@signals.task_postrun.connect(sender=returns_twice)
def ended_in(task, **_):
    print("hook", task.pid != 0)

@app.task
def leaves(daemon, path):
    process = fork.Process(target=forever, daemon=daemon)
    process.start()
    with open(path, "w") as file:
        file.write(str(process.pid))

@app.task
def deaf(number):
    os.kill(os.getpid(), number)
    return "still here"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, FORKS)


@pytest.mark.parametrize("pool", ["processes", "threads", "asyncio"])
def test_a_process_that_a_task_forks_ends_by_a_signal(project: Project, pool: str) -> None:
    with project.worker("-P", pool):
        out = project.python(
            "import signal\n"
            "from project import *\n"
            "print([signalled.delay(n).get(timeout=60) for n in (15, 1, 3)])\n"
            "print(own_handler.delay().get(timeout=60))\n"
            "print(at_once.delay().get(timeout=60))\n"
            "print(leaves_a_pool.delay().get(timeout=60))\n"
        )

    assert out == "[-15, -1, -3]\n7\n[-15]\nleft\n"


def test_the_process_of_the_task_itself_leaves_signals_to_the_worker(project: Project) -> None:
    with project.worker():
        source = "from project import *\nprint([deaf.delay(n).get(timeout=60) for n in (1, 15)])"

        assert project.python(source) == "['still here', 'still here']\n"


@pytest.mark.parametrize("pool", ["processes", "threads", "asyncio", "solo"])
def test_a_forked_process_that_returns_from_its_task_exits_as_any_program_does(
    project: Project, pool: str
) -> None:
    with project.worker("-P", pool) as worker:
        out = project.python(
            "from project import *\n"
            "ways = 'return', 'exit', 'raise'\n"
            "print([returns_twice.delay(how).get(timeout=30) for how in ways])"
        )
        worker.send(TERM)
        assert worker.wait() == 0

    assert out == "[0, 3, 1]\n"
    assert "printed by the forked process" in worker.output
    assert "ValueError: of the forked process" in worker.output
    assert worker.output.count("hook True") == 3
    assert "hook False" not in worker.output


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("daemon", [False, True])
@pytest.mark.parametrize("pool", ["processes", "threads", "asyncio", "solo"])
def test_what_tasks_have_started_by_multiprocessing_ends_with_the_worker(
    project: Project, pool: str, daemon: bool
) -> None:
    path = project.folder / "pid"
    with project.worker("-P", pool) as worker:
        project.python(f"from project import *; leaves.delay({daemon}, 'pid').get(timeout=30)")
        worker.send(TERM)
        assert worker.wait() == 0

    pid = int(path.read_text())
    wait_for(lambda: not alive(pid), "its end")
