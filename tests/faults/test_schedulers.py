"""Several schedulers on one store, killed at random: no moment is lost, none comes twice."""

import random
import sqlite3
import time
from contextlib import ExitStack, closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.project import TERM, Program, Project, wait_for
from tests.faults.crashpoints_audit import check_file

NAMES = [f"entry-{n}" for n in range(8)]
EVERY = 0.05  # seconds
SCHEDULERS = 5
BEAT = ("-m", "liteq", "beat", "-A", "project")

SOURCE = f"""
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")
app.conf.beat_schedule = {{
    name: {{"task": "project.nothing", "schedule": {EVERY}, "args": [name], "misfire": "all"}}
    for name in {NAMES!r}
}}

@app.task
def nothing(name): pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, SOURCE)


def query(project: Project, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(project.folder / "project.db", timeout=30)) as db:
        return db.execute(sql).fetchall()


def sent(project: Project) -> int:
    if not (project.folder / "project.db").exists():
        return 0
    try:
        ((count,),) = query(project, "select count(*) from liteq_task")
    except sqlite3.OperationalError:  # its tables are not there yet
        return 0
    return int(str(count))


def wait_for_more(project: Project, tasks: int) -> None:
    """Wait until so many more were sent than by now."""
    enough = sent(project) + tasks
    wait_for(lambda: sent(project) >= enough, f"{tasks} more tasks")


def moments(project: Project, name: str) -> list[float]:
    """Those for which the entry has sent a task, in order."""
    rows = query(
        project,
        f"""select json_extract(options, '$.headers.periodic_task_moment') from liteq_task
        where json_extract(options, '$.headers.periodic_task_name') = '{name}' order by 1""",
    )
    return [datetime.fromisoformat(str(moment)).timestamp() for (moment,) in rows]


def audit(project: Project) -> None:
    check_file(project.folder / "project.db")
    for name, runs in query(project, "select name, runs from liteq_schedule"):
        found = moments(project, str(name))
        assert len(found) == runs, f"{name}: {len(found)} tasks, {runs} runs"
        steps = {round((after - before) / EVERY, 3) for before, after in pairwise(found)}
        assert steps == {1.0}, f"{name}: moments are {steps} intervals apart"


def storm(project: Project, kills: int, seed: int) -> None:
    """Kill one of the schedulers after the other, at random, and start another in its place."""
    dice = random.Random(seed)
    with ExitStack() as stack:
        running: list[Program] = []

        def start() -> None:
            beat = project.program(*BEAT)
            running.append(stack.enter_context(beat))

        for _ in range(SCHEDULERS):
            start()
        wait_for(lambda: sent(project) > 0, "the first task")
        for _ in range(kills):
            wait_for_more(project, 1)
            time.sleep(dice.uniform(0, 0.1))  # at any instant of what they do
            running.pop(dice.randrange(len(running))).process.kill()
            start()
        wait_for_more(project, 100)
    audit(project)


def test_five_schedulers_that_are_killed_fire_each_moment_once(project: Project) -> None:
    storm(project, kills=10, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_five_schedulers_that_are_killed_for_minutes(project: Project, seed: int) -> None:
    storm(project, kills=100, seed=seed)


def lock(project: Project) -> sqlite3.Connection:
    """Keep the store locked, which is there already, until the connection is closed."""
    project.python("from project import app; app.broker.counts()")
    db = sqlite3.connect(project.folder / "project.db", isolation_level=None)
    db.execute("begin immediate")
    return db


def test_beat_waits_for_a_store_that_is_locked_when_it_starts(project: Project) -> None:
    with closing(lock(project)) as db, project.program(*BEAT) as beat:
        beat.wait_for_line("the store fails, trying again")
        db.rollback()
        beat.wait_for_line("the store works again")
        wait_for_more(project, 3)


def test_beat_can_be_stopped_while_it_waits_for_its_store(project: Project) -> None:
    with closing(lock(project)), project.program(*BEAT) as beat:
        beat.wait_for_line("the store fails, trying again")
        beat.send(TERM)
        assert beat.wait() == 0


def test_workers_that_are_killed_lose_no_moment(project: Project) -> None:
    """Here the tasks are run as well, so the schedulers stand beside claims and settlements."""
    for _ in range(3):
        with project.worker("-P", "threads"), project.worker("-P", "threads", "-n", "other"):
            wait_for_more(project, 50)
    audit(project)
