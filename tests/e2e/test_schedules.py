"""Periodic tasks as users run them: workers, `liteq beat`, `liteq schedule`."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ
from liteq.brokers import connect
from liteq.testing import ManualClock

from .project import TERM, Project, wait_for

PERIODIC = """
from liteq import LiteQ
from liteq.schedules import crontab

app = LiteQ("project", broker="sqlite:///project.db")

@app.on_after_configure.connect
def set_up(sender, **_):
    sender.add_periodic_task(0.2, note.s("often"), name="often")

app.conf.timezone = "Europe/Paris"
app.conf.beat_schedule = {
    "mondays": {
        "task": "project.note", "schedule": crontab(30, 7, day_of_week="mon"), "args": ["m"]
    },
}

@app.task
def note(word):
    with open("notes.txt", "a") as file:
        file.write(f"{word}\\n")
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, PERIODIC)


def notes(project: Project) -> list[str]:
    path = project.folder / "notes.txt"
    return path.read_text().split() if path.exists() else []


def rows(project: Project, sql: str) -> list[Any]:
    with closing(sqlite3.connect(project.folder / "project.db")) as db:
        return db.execute(sql).fetchall()


def listed(project: Project) -> dict[str, Any]:
    document = json.loads(project.liteq("schedule", "list", "-A", "project", "--json"))
    return {each["name"]: each for each in document["schedules"]}


@pytest.mark.parametrize("pool", ["processes", "threads", "asyncio", "solo"])
def test_a_worker_fires_what_the_code_declares(project: Project, pool: str) -> None:
    with project.worker("-P", pool) as worker:
        wait_for(lambda: len(notes(project)) >= 3, "three notes")
        worker.wait_for_line(r"Scheduler: Sending due task often \(project.note\)")

    assert set(notes(project)) == {"often"}
    assert set(listed(project)) == {"often", "mondays"}


def test_two_workers_fire_each_moment_once(project: Project) -> None:
    with project.worker("-n", "a"), project.worker("-n", "b", "-B", "-s", "file"):
        wait_for(lambda: len(notes(project)) >= 10, "ten notes")

    moments = rows(
        project, "select json_extract(options, '$.headers.periodic_task_moment') from liteq_task"
    )
    assert len(moments) == len(set(moments)) >= 10


def test_without_beat_a_worker_fires_nothing_and_liteq_beat_does(project: Project) -> None:
    with project.worker("--no-beat"):
        project.liteq("call", "project.note", "-A", "project", "-a", '["called"]')
        wait_for(lambda: notes(project) == ["called"], "the call")
        assert listed(project) == {}
        with project.program("-m", "liteq", "beat", "-A", "project", "-l", "info") as beat:
            wait_for(lambda: notes(project).count("often") >= 3, "three notes")
            beat.send(TERM)
            assert beat.wait() == 0
        assert "Sending due task often" in beat.output
        assert json.loads(project.liteq("status", "-A", "project", "--json"))["workers"]


def test_beat_alone_is_no_worker_and_its_pidfile_goes_with_it(project: Project) -> None:
    connect = "from liteq.signals import beat_init; beat_init.connect(note_init)"
    project.write("project.py", f"{PERIODIC}\ndef note_init(**_): note('init')\n\n{connect}\n")
    options = [
        "--pidfile",
        "beat.pid",
        "--max-interval",
        "5",
        "-S",
        "x",
        "-s",
        "y",
        "-f",
        "beat.log",
    ]
    with project.program("-m", "liteq", "-A", "project", "beat", *options) as beat:
        wait_for((project.folder / "beat.pid").exists, "the pidfile")
        wait_for(lambda: notes(project)[:1] == ["init"], "the signal")
        project.liteq("status", "-A", "project", code=69)
        beat.send(TERM)
        assert beat.wait() == 0

    assert not (project.folder / "beat.pid").exists()
    project.liteq("beat", code=78)


def test_schedules_are_changed_in_a_shell_and_workers_see_it_at_once(project: Project) -> None:
    with project.worker():
        wait_for(lambda: "often" in notes(project), "the first note")
        project.liteq("schedule", "pause", "often", "-A", "project")
        add = ("schedule", "add", "mine", "project.note", "-A", "project", "-a", '["mine"]')
        project.liteq(*add, "--every", "0.1", "--jitter", "0.01", "--misfire", "skip")
        wait_for(lambda: notes(project).count("mine") >= 3, "three of mine")
        runs = listed(project)["often"]["runs"]
        wait_for(lambda: notes(project).count("mine") >= 6, "three more")
        assert listed(project)["often"]["runs"] == runs
        project.liteq("schedule", "resume", "often", "-A", "project")
        wait_for(lambda: listed(project)["often"]["runs"] > runs, "often again")
        assert project.liteq("schedule", "remove", "mine", "-A", "project") == "mine is removed\n"

    mine = listed(project)
    assert set(mine) == {"often", "mondays"}
    assert mine["mondays"]["schedule"] == {"crontab": "30 7 * * mon", "tz": "Europe/Paris"}


def test_the_output_of_liteq_schedule(project: Project) -> None:
    def schedule(*argv: str, code: int = 0) -> str:
        return project.liteq("schedule", *argv, "-A", "project", code=code)

    assert "there is no such store" in schedule("list", code=69)
    project.python("from project import app; app.broker.enqueue([])")  # makes it
    assert schedule("list") == "no schedules\n"
    cron = ("--cron", "0 9 * * mon-fri", "--timezone", "UTC", "--no-overlap", "-k", '{"word": "x"}')
    assert " fires at " in schedule("add", "nine", "project.note", *cron, "-Q", "q", "-x", "60")
    schedule("add", "dusk", "project.note", "--sun", "sunset,48.85,2.35", "-a", '["d"]')
    nine = listed(project)["nine"]
    assert (nine["overlap"], nine["queue"], nine["expires_after"]) == (False, "q", 60.0)
    assert (nine["app"], nine["runs"], nine["last"]) == (None, 0, None)
    assert "crontab 0 9 * * mon-fri tz UTC" in schedule("list")
    coming = json.loads(schedule("next", "nine", "--limit", "2", "--json"))["moments"]
    assert [each["name"] for each in coming] == ["nine", "nine"]
    assert json.loads(schedule("pause", "nine", "--json"))["paused"] == ["nine"]
    assert "paused" in schedule("list", "nine")
    assert schedule("next", "nine") == ""

    assert "has no schedule other" in schedule("remove", "other", "nine", code=1)
    assert "takes a name, a task" in schedule("add", "x", "--every", "5", code=2)
    assert "is not a number of seconds" in schedule("add", "x", "t", "--every", "soon", code=2)
    assert "five fields" in schedule("add", "x", "t", "--cron", "nonsense", code=2)
    assert "sunrise" in schedule("add", "x", "t", "--sun", "moonrise,1,2", code=2)
    assert "Mars" in schedule("add", "x", "t", "--every", "5", "--timezone", "Mars", code=78)
    assert "takes the names" in schedule("pause", code=2)


def test_the_code_of_a_schedule_may_change_between_two_starts(project: Project) -> None:
    with project.worker():
        wait_for(lambda: "often" in notes(project), "the first note")
    project.write("project.py", PERIODIC.replace('0.2, note.s("often")', '0.3, note.s("other")'))
    with project.worker():
        wait_for(lambda: "other" in notes(project), "the other note")
    project.write("project.py", PERIODIC.replace("    sender.add_periodic_task", "    str"))
    with project.worker() as worker:
        worker.wait_for_line("no longer in the code, dropped: often", 30)

    assert set(listed(project)) == {"mondays"}


def test_a_schedule_that_cannot_be_ends_the_start_and_is_named(project: Project) -> None:
    project.write("project.py", PERIODIC.replace('"args": ["m"]', '"arg": ["m"]'))
    output = project.liteq("worker", "-A", "project", code=78)

    assert "schedule 'mondays': there is no 'arg' in an entry; did you mean 'args'?" in output


# a clock that is set, under a worker that runs


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_900_000_000.0)


@pytest.fixture
def app(tmp_path: Path, clock: ManualClock) -> Iterator[LiteQ]:
    broker = connect(f"sqlite:///{tmp_path / 'clock.db'}", clock=clock)
    app = LiteQ("clock", broker=broker, set_as_current=False)
    app.task(name="hourly", schedule=3600)(lambda: None)
    app.task(name="plain")(lambda: None)
    yield app
    app.close()


def runs(app: LiteQ) -> int:
    return sum(each.runs for each in app.schedules)


def test_a_machine_that_has_slept_runs_what_it_missed_once_and_at_once(
    app: LiteQ, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    with app.Worker(pool="threads", concurrency=1):
        wait_for(app.schedules.list, "the schedule")
        later = app.tasks["plain"].apply_async(countdown=3 * 3600)
        clock.advance(8 * 3600)  # by the steady clock, no time has passed
        wait_for(lambda: runs(app) == 1, "the run")
        assert later.get(timeout=30) is None
        app.tasks["plain"].delay().get(timeout=30)
        (entry,) = app.schedules

    assert (entry.runs, entry.due) == (1, 1_900_000_000.0 + 9 * 3600)
    assert "has missed 7 before it" in caplog.text


def test_a_clock_that_is_set_back_under_a_worker_keeps_nobody_silent(
    app: LiteQ, clock: ManualClock
) -> None:
    with app.Worker(pool="threads", concurrency=1):
        wait_for(app.schedules.list, "the schedule")
        clock.advance(-86400)
        wait_for(lambda: app.schedules["hourly"].due == clock() + 3600, "another plan")
        assert runs(app) == 0
        clock.advance(3600)
        wait_for(lambda: runs(app) == 1, "the run")


def test_an_embedded_worker_may_leave_schedules_to_others(app: LiteQ, clock: ManualClock) -> None:
    with app.Worker(pool="threads", concurrency=1, beat=False):
        app.schedules.add("mine", 60, "plain")
        clock.advance(60)
        app.tasks["plain"].delay().get(timeout=30)

    assert runs(app) == 0
