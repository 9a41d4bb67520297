"""Processes die with several tasks in them: the one that kills is set aside, and no other is."""

import sys
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.project import Program, Project, wait_for
from tests.servers import needs_redis

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TASKS = """
import os, signal, time
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")

def supervisor():
    pid = os.getpid()
    while b"worker" not in open(f"/proc/{pid}/cmdline", "rb").read():
        pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    return pid

def note(name):
    with open(name, "a") as file:
        file.write(f"{supervisor()}\\n")

def noted(name):
    return open(name).read().split() if os.path.exists(name) else []

@app.task
def innocent():
    note("innocent")
    time.sleep(3)

@app.task
def poison():
    note("poison")
    end = time.monotonic() + 3
    while str(supervisor()) not in noted("innocent") and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(supervisor(), signal.SIGKILL)
    time.sleep(60)
"""

STATES = """
from project import app
records = app.broker.fetch(["innocent", "poison"])
print(*[f"{record.message.id} {record.phase.name} {record.lost}" for record in records], sep=",")
"""


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=needs_redis)])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    source = TASKS
    if request.param == "redis":
        url = request.getfixturevalue("redis_store")
        source = TASKS.replace("sqlite:///project.db", url)
    return Project(tmp_path, source)


def states(project: Project) -> dict[str, tuple[str, int]]:
    rows = [row.split() for row in project.python(STATES).strip().split(",")]
    return {id: (phase, int(lost)) for id, phase, lost in rows}


@pytest.mark.parametrize("pool", ["processes", "threads", "asyncio"])
def test_a_task_that_kills_its_worker_again_and_again_takes_no_other_with_it(
    project: Project, pool: str
) -> None:
    project.python(
        "from project import *\n"
        "innocent.apply_async(task_id='innocent'); poison.apply_async(task_id='poison')"
    )

    def ended(worker: Program) -> bool:
        return worker.process.poll() is not None or states(project)["poison"][0] == "DEAD"

    for _ in range(8):
        with project.worker("-P", pool) as worker:
            wait_for(partial(ended, worker), "the end of the worker, or of the poison")
            if worker.process.poll() is None:
                wait_for(lambda: states(project)["innocent"][0] == "SUCCEEDED", "the innocent one")
                break

    assert states(project)["poison"][0] == "DEAD"
    assert states(project)["innocent"][0] == "SUCCEEDED"
    workers = [(project.folder / name).read_text().split() for name in ("innocent", "poison")]
    assert set.intersection(*map(set, workers)), "they never ran together"


LEFT_BEHIND = """
import threading

@app.task
def leave_a_bomb():
    bomb = threading.Timer(0.3, os._exit, (1,))
    bomb.daemon = True
    bomb.start()

@app.task
def bystander():
    note("bystander")
    time.sleep(0.6)
"""


def test_a_suspect_does_not_run_in_a_process_in_which_others_have_run(project: Project) -> None:
    """What one of them has left behind may be what kills it."""
    source = (project.folder / "project.py").read_text()
    project.write("project.py", source + LEFT_BEHIND)
    script = """
from project import app, bystander, leave_a_bomb
result = bystander.apply_async(task_id="bystander", countdown=0.2)
while not result.ready():
    leave_a_bomb.delay().get(timeout=20)
record, = app.broker.fetch(["bystander"])
print(record.phase.name)
"""
    with project.worker("-c", "1") as worker:
        assert project.python(script).endswith("SUCCEEDED\n"), worker.output
