"""Pausing and resuming, with real workers: what is paused waits, and nothing else does."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ
from liteq.states import Phase
from tests.e2e.project import TERM, Project, has_lines, wait_for

SOURCE = """
import os, time
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")
app.conf.task_queues = ("mail", "other")

@app.task
def note(word, hold=False):
    with open("notes.txt", "a") as file:
        file.write(f"{word}\\n")
    while hold and os.path.exists("hold"):
        time.sleep(0.01)
    return word

@app.task
def write(word):
    return note(word)
"""
TICKING = """
app.conf.beat_schedule = {
    "often": {
        "task": "project.note", "schedule": 0.1, "args": ["tick"], "options": {"queue": "mail"}
    }
}
"""


@pytest.fixture(params=["sqlite", "redis"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    url = f"sqlite:///{tmp_path / 'project.db'}"
    if request.param == "redis":
        url = request.getfixturevalue("redis_store")
    made = Project(tmp_path, SOURCE.replace("sqlite:///project.db", url))
    made.env["STORE"] = url
    return made


@pytest.fixture
def app(project: Project) -> Iterator[LiteQ]:
    """The application in the test's own process, without its tasks."""
    with LiteQ(broker=project.env["STORE"], set_as_current=False) as app:
        yield app


def note(app: LiteQ, word: str, queue: str = "mail", **options: Any) -> Any:
    return app.send_task("project.note", (word,), queue=queue, **options)


def has_served(app: LiteQ) -> None:
    """Wait until the workers have run a task that was just sent to a queue that is not paused."""
    note(app, "other", "other").get(timeout=25)


def notes(project: Project) -> list[str]:
    path = project.folder / "notes.txt"
    return path.read_text().split() if path.exists() else []


def test_an_idle_worker_begins_nothing_of_a_paused_queue(project: Project, app: LiteQ) -> None:
    with project.worker("-c", "1"):
        has_served(app)
        assert app.control.pause("mail")
        waits = note(app, "mail")
        has_served(app)
        has_served(app)
        assert app.jobs.get(waits.id).state == "ready"  # type: ignore[union-attr]
        assert app.control.resume("mail")
        assert waits.get(timeout=25) == "mail"

    assert notes(project) == ["other"] * 3 + ["mail"]


def test_busy_workers_stop_at_once_and_go_on(project: Project, app: LiteQ) -> None:
    with project.worker("-c", "2"), project.worker("-c", "2", "-n", "b"):
        has_served(app)
        sent = [note(app, str(n)) for n in range(2000)]
        wait_for(has_lines(project.folder / "notes.txt", 100), "the first of them")
        app.control.pause("mail")
        # What was claimed before the pause still ends, and nothing is claimed after it.
        wait_for(lambda: not app.broker.listing([Phase.RUNNING], 1), "the end of what ran")
        begun = len(notes(project))
        has_served(app)
        assert len(notes(project)) == begun + 1
        app.control.resume("mail")
        for each in sent:
            each.get(timeout=25)

    assert sorted(set(notes(project)) - {"other"}, key=int) == [str(n) for n in range(2000)]
    assert len(notes(project)) == 2002


def test_what_runs_ends_normally(project: Project, app: LiteQ) -> None:
    (project.folder / "hold").touch()
    with project.worker("-c", "1"):
        runs = app.send_task("project.note", ("first", True), queue="mail")
        wait_for(has_lines(project.folder / "notes.txt"), "its begin")
        app.control.pause()
        (project.folder / "hold").unlink()

        assert runs.get(timeout=25) == "first"


def test_a_pause_outlives_all_workers(project: Project, app: LiteQ) -> None:
    app.control.pause("mail")
    with project.worker("-c", "1") as worker:
        has_served(app)
        os.kill(worker.pid, getattr(signal, "SIGKILL", TERM))
    waits = note(app, "mail")
    with project.worker("-c", "1"):
        has_served(app)
        assert notes(project) == ["other", "other"]
        app.control.resume("mail")
        assert waits.get(timeout=25) == "mail"


def test_a_name_and_the_whole_store_are_paused(project: Project, app: LiteQ) -> None:
    with project.worker("-c", "1"):
        app.control.pause(task="project.write")
        waits = app.send_task("project.write", ("paused",), queue="other")
        has_served(app)
        app.control.pause()
        later = note(app, "later", "other")
        app.control.resume(task="project.write")
        assert notes(project) == ["other"]
        app.control.resume()
        assert (waits.get(timeout=25), later.get(timeout=25)) == ("paused", "later")


def test_revoke_and_purge_work_on_what_is_paused(project: Project, app: LiteQ) -> None:
    with project.worker("-c", "1"):
        app.control.pause("mail")
        app.control.pause(task="project.write")
        sent = [note(app, "mail"), app.send_task("project.write", ("x",), queue="other")]
        has_served(app)
        app.control.revoke([each.id for each in sent])
        assert [each.state for each in sent] == ["REVOKED", "REVOKED"]
        note(app, "mail")
        app.send_task("project.write", ("x",), queue="other")
        has_served(app)
        assert "purged 2 tasks" in project.liteq("purge", "-f", "-A", "project")
        app.control.resume("mail")
        app.control.resume(task="project.write")
        has_served(app)

    assert notes(project) == ["other"] * 3


@pytest.mark.parametrize("schedules", ["skip", "keep"])
def test_periodic_tasks_of_a_paused_queue_pile_up_or_are_passed_over(
    project: Project, app: LiteQ, schedules: str
) -> None:
    source = (project.folder / "project.py").read_text()
    project.write("project.py", source + TICKING)
    with project.worker("-c", "1") as worker:
        wait_for(has_lines(project.folder / "notes.txt", 2), "two runs")
        app.control.pause("mail", schedules=schedules)
        wait_for(lambda: not app.broker.listing([Phase.RUNNING], 1), "the end of what ran")
        ran = len(notes(project))
        if schedules == "skip":
            worker.wait_for_line("often is passed over: its task, its queue or the store is paused")
            waiting = len(app.broker.listing([Phase.READY], 99))
            (entry,) = app.broker.schedules()
            wait_for(lambda: app.broker.schedules()[0].moment > entry.moment + 0.5, "more of them")  # type: ignore[operator]
            assert len(app.broker.listing([Phase.READY], 99)) == waiting
        else:
            wait_for(lambda: len(app.broker.listing([Phase.READY], 99)) >= 3, "three that wait")
        assert len(notes(project)) == ran
        app.control.resume("mail")
        wait_for(lambda: len(notes(project)) >= ran + 3, "the runs after it")


def test_the_commands_pause_list_and_resume(project: Project, app: LiteQ) -> None:
    note(app, "mail")
    named = ("-A", "project")

    assert project.liteq("pause", *named) == "nothing is paused\n"
    said = project.liteq("pause", *named, "mail", "--schedules", "skip", "--task", "project.write")
    assert "the queue 'mail' is paused since 20" in said
    assert "the task 'project.write' is paused since 20" in said
    document = json.loads(project.liteq("pause", *named, "--all", "--json"))
    assert [(each["kind"], each["name"], each["schedules"]) for each in document["paused"]] == [
        ("queue", "mail", "skip"),
        ("store", "", "keep"),
        ("task", "project.write", "skip"),
    ]
    assert "the whole store is paused since" in project.liteq("status", *named, code=None)
    assert "the whole store is resumed" in project.liteq("resume", *named, "--all")
    assert "the queue 'mial' was not paused" in project.liteq("resume", *named, "mial", code=1)
    assert "did you mean 'mail'?" in project.liteq("pause", *named, "mial")
    assert "liteq pause lists" in project.liteq("resume", *named, code=2)
    document = json.loads(project.liteq("resume", *named, "mail", "mial", "--json"))
    assert document["resumed"] == ["the queue 'mail'", "the queue 'mial'"]
    assert [each["name"] for each in document["paused"]] == ["project.write"]


@pytest.mark.parametrize("name", ["", "a\x1bb", "a\nb", "x" * 256])
def test_what_can_be_no_name_is_refused(project: Project, app: LiteQ, name: str) -> None:
    note(app, "mail")

    said = project.liteq("pause", "-A", "project", name, code=65)
    assert "cannot be a queue name: give 1 to 255 printable characters" in said
    said = project.liteq("resume", "-A", "project", "--task", name, code=65)
    assert "cannot be a task name" in said
    assert app.control.paused() == []


def test_status_why_jobs_and_get_say_what_a_task_waits_for(project: Project, app: LiteQ) -> None:
    app.control.pause("mail")
    id = note(app, "mail").id
    said = "the queue 'mail' is paused since 20"
    named = ("-A", "project")

    assert said in project.liteq("status", *named, code=None)
    assert said in project.liteq("why", *named, id)
    assert "ready, paused" in project.liteq("jobs", *named)
    (job,) = json.loads(project.liteq("jobs", *named, "--json"))["jobs"]
    assert job["paused"].startswith("20")
    assert said in project.liteq("jobs", "show", *named, id)
    waits = f"from project import app; app.AsyncResult({id!r}).get(timeout=0.1)"
    assert said in project.python(waits, code=1)
