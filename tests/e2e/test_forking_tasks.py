"""Tasks that start processes: these end when they are told to, as in any program."""

import sys
from pathlib import Path

import pytest

from .project import Project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks")

FORKS = """
import multiprocessing, os, signal, subprocess, sys, time
from liteq import LiteQ

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

@app.task
def deaf(number):
    os.kill(os.getpid(), number)
    return "still here"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, FORKS)


@pytest.mark.parametrize("pool", ["processes", "threads"])
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
