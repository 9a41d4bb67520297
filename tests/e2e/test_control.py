"""Workers that are real processes are told what to do, on SQLite and on Redis."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from liteq import LiteQ
from liteq.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from tests.e2e.project import Program, Project, alive, wait_for
from tests.servers import needs_redis

SOURCE = """
import os, signal, time
from liteq import LiteQ
from liteq.worker.control import control_command, inspect_command

app = LiteQ("project", broker="sqlite:///project.db")

@app.task
def add(x, y):
    return x + y

@app.task
def nap(seconds):
    time.sleep(seconds)
    return os.getpid()

@control_command(args=[("n", int)], signature="[N=1]")
def count_up(state, n=1):
    "Count."
    return {"ok": f"{state.hostname}: {n}"}

@inspect_command
def level(state):
    return {"level": 3}

@control_command
def die(state):
    os.kill(os.getpid(), signal.SIGKILL)
"""
PATIENT: dict[str, Any] = {"reply": True, "timeout": 30.0}


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=needs_redis)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'project.db'}"
    found: str = request.getfixturevalue("redis_store")
    return found


@pytest.fixture
def project(tmp_path: Path, url: str) -> Project:
    return Project(tmp_path, SOURCE.replace("sqlite:///project.db", url))


@pytest.fixture
def app(url: str) -> Iterator[LiteQ]:
    """The application of another program, which does not know the tasks."""
    with LiteQ("project", broker=url, set_as_current=False) as app:
        yield app


@contextmanager
def two_workers(project: Project) -> Iterator[tuple[Program, Program]]:
    with project.worker("-n", "w1@h") as first, project.worker("-n", "w2@h") as second:
        yield first, second


def size(app: LiteQ, name: str) -> int:
    stats = app.control.inspect([name], timeout=30.0).stats() or {}
    found: int = stats[name]["pool"]["max-concurrency"]
    return found


def processes(app: LiteQ, name: str) -> list[int]:
    stats = app.control.inspect([name], timeout=30.0).stats() or {}
    found: list[int] = stats[name]["pool"]["processes"]
    return found


def exactly(number: int, found: list[int]) -> list[int]:
    """Return what was found if it is so many, else nothing."""
    return found if len(found) == number else []


def test_one_of_two_workers_is_told(project: Project, app: LiteQ) -> None:
    with two_workers(project) as (first, _):
        before = set(wait_for(lambda: exactly(2, processes(app, "w1@h"))))
        assert app.control.pool_grow(2, destination=["w1@h"], **PATIENT) == [
            {"w1@h": {"ok": "pool will grow"}}
        ]
        assert (size(app, "w1@h"), size(app, "w2@h")) == (4, 2)
        wait_for(lambda: len(processes(app, "w1@h")) == 4)
        status = json.loads(project.liteq("status", "-A", "project", "--json"))
        assert {each["name"]: each["concurrency"] for each in status["workers"]} == {
            "w1@h": 4,
            "w2@h": 2,
        }

        app.control.pool_shrink(2, destination=["w1@h"], **PATIENT)
        assert set(wait_for(lambda: exactly(2, processes(app, "w1@h")))) == before

        assert app.control.shutdown(["w1@h"], **PATIENT) == [{"w1@h": {"ok": "shutting down"}}]
        assert first.wait() == 0
        assert app.control.ping(timeout=30.0) == [{"w2@h": {"ok": "pong"}}]
        assert app.send_task("project.add", (2, 3)).get(timeout=30) == 5


def test_a_stopped_worker_is_named_and_obeys_only_what_is_worth_something_still(
    project: Project, app: LiteQ
) -> None:
    with two_workers(project) as (first, _):
        os.kill(first.pid, signal.SIGSTOP)
        try:
            with pytest.warns(UserWarning, match=r"pool_grow: no answer within 1 s from w1@h$"):
                found = app.control.pool_grow(1, reply=True)
            assert found == [{"w2@h": {"ok": "pool will grow"}}]
            output = project.liteq(
                "control", "pool_grow", "1", "-A", "project", "-d", "w1@h", code=69
            )
            assert output == "liteq: pool_grow: no answer within 1 s from w1@h\n"
            app.control.add_consumer("mail", destination=["w1@h"])  # waits for no answer
        finally:
            os.kill(first.pid, signal.SIGCONT)

        assert app.send_task("project.add", (2, 3), queue="mail").get(timeout=30) == 5
        assert (size(app, "w1@h"), size(app, "w2@h")) == (2, 3)


def test_a_worker_that_is_killed_by_an_order_is_named_at_once_and_nobody_else_obeys(
    project: Project, app: LiteQ
) -> None:
    with two_workers(project) as (first, second):
        with pytest.warns(UserWarning, match=r"die: ended before an answer: w1@h$"):
            assert app.control.broadcast("die", destination="w1@h", **PATIENT) == []
        assert first.wait() == -signal.SIGKILL
        with project.worker("-n", "w1@h") as again:
            assert len(app.control.ping(timeout=30.0)) == 2
            assert app.send_task("project.add", (2, 3)).get(timeout=30) == 5
            assert alive(again.pid)
            assert alive(second.pid)


def test_other_queues_are_served_and_shown_at_once(project: Project, app: LiteQ) -> None:
    with two_workers(project):
        waits = app.send_task("project.add", (2, 3), queue="mail")
        output = project.liteq(
            "control", "add_consumer", "mail", "-t", "30", "-A", "project", "-d", "w2@h"
        )
        assert output == "-> w2@h: add consumer mail\n"
        status = project.liteq("status", "-A", "project")
        shown = project.liteq("inspect", "active_queues", "-t", "30", "-A", "project")

        assert waits.get(timeout=30) == 5
        assert "celery,mail" in status
        assert shown.splitlines() == [
            "-> w1@h",
            "   queues: celery",
            "-> w2@h",
            "   queues: celery, mail",
        ]
        app.control.cancel_consumer("mail", **PATIENT)
        stays = app.send_task("project.add", (2, 3), queue="mail")
        assert app.send_task("project.add", (3, 3)).get(timeout=30) == 6
        assert stays.state == "PENDING"


def test_limits_of_running_workers_are_changed(project: Project, app: LiteQ) -> None:
    with project.worker("-n", "w1@h"):
        app.control.time_limit("project.nap", soft=0.2, **PATIENT)
        with pytest.raises(SoftTimeLimitExceeded):
            app.send_task("project.nap", (60,)).get(timeout=30)
        app.control.time_limit("project.nap", hard=0.2, **PATIENT)
        with pytest.raises(TimeLimitExceeded):
            app.send_task("project.nap", (60,)).get(timeout=30)
        app.control.time_limit("project.nap", **PATIENT)

        assert app.send_task("project.nap", (0.3,)).get(timeout=30) > 0
        assert app.send_task("project.add", (2, 3)).get(timeout=30) == 5


def test_new_code_is_loaded(project: Project, app: LiteQ) -> None:
    with project.worker("-n", "w1@h"):
        assert app.send_task("project.add", (2, 3)).get(timeout=30) == 5
        project.write(
            "project.py", (project.folder / "project.py").read_text().replace("x + y", "x * y")
        )
        found = app.control.pool_restart(**PATIENT)

        assert found == [{"w1@h": {"ok": "reload started"}}]
        wait_for(lambda: app.send_task("project.add", (2, 3)).get(timeout=30) == 6)


def test_commands_of_the_program_are_typed_like_others(project: Project) -> None:
    with project.worker("-n", "w1@h"):
        told = project.liteq("control", "count_up", "5", "-t", "30", "-A", "project")
        document = json.loads(
            project.liteq("inspect", "level", "-t", "30", "-A", "project", "--json")
        )

        assert told == "-> w1@h: w1@h: 5\n"
        assert document["workers"] == [{"name": "w1@h", "answer": {"level": 3}}]
        assert "there is no control level" in project.liteq(
            "control", "level", "-A", "project", code=2
        )
        error = project.liteq("control", "pool_shrink", "2", "-t", "30", "-A", "project", code=1)
        assert error.startswith("-> w1@h: error: the pool can have 1 to 1024 slots")


def test_without_a_worker_the_exit_code_is_that_of_celery(project: Project, app: LiteQ) -> None:
    app.send_task("project.add", (2, 3))

    for command in ("control pool_grow", "inspect ping", "inspect stats", "control shutdown"):
        output = project.liteq(*command.split(), "-A", "project", code=69)
        assert f"{command.split()[1]}: no worker is up\n" in output
    assert "no worker is called 'w1@h'" in project.liteq(
        "control", "shutdown", "-A", "project", "-d", "w1@h", code=69
    )


def test_slots_are_added_while_tasks_wait(project: Project, app: LiteQ) -> None:
    with project.worker("-n", "w1@h", "--autoscale", "4,1") as worker:
        assert size(app, "w1@h") == 1
        results = [app.send_task("project.nap", (2.5,)) for _ in range(8)]
        wait_for(lambda: size(app, "w1@h") == 4)
        assert len({result.get(timeout=60) for result in results}) >= 3
        worker.wait_for_line("scaling from 3 to 4 slots")
        found = app.control.autoscale(2, 1, **PATIENT)
        assert found == [{"w1@h": {"ok": "autoscale now max=2 min=1"}}]
        assert size(app, "w1@h") == 2
