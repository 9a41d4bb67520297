"""Options of Celery's commands that do here what they do in Celery, in real processes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.project import Project, wait_for

EXTRA = """
from project import app

@app.task(name="extra.more")
def more():
    return "more"
"""
WARNED = """
from liteq import LiteQ

app = LiteQ("warned", broker="sqlite:///warned.db")
app.config_from_object({"worker_direct": True})

@app.task(rate_limit="10/m")
def slow(x):
    return x
"""
SETTINGS = "task_default_queue = 'other'\n"
SEND = "from project import *; print(app.send_task({!r}, queue={!r}).id)"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def state(project: Project, id: str) -> str:
    return project.python(f"from project import app; print(app.AsyncResult({id!r}).state)").strip()


def test_a_worker_serves_all_queues_but_those_excluded(project: Project) -> None:
    project.write("extra.py", EXTRA)
    project.write("settings.py", "task_queues = ['a', 'b', 'c']\n")
    wanted, other = (
        project.python(SEND.format("extra.more", queue)).strip() for queue in ("b", "c")
    )
    options = ["--config", "settings", "-X", "c,celery", "-I", "extra", "--autoscale", "3,1"]
    with project.program("-m", "liteq", "worker", "-A", "project", *options) as worker:
        wait_for(lambda: state(project, wanted) == "SUCCESS", "the task of the other module")
        assert "queues:      a, b\n" in worker.output
        assert "concurrency: 1 to 3 " in worker.output
    assert state(project, other) == "PENDING"


def test_a_worker_drops_what_waits_and_kills_what_runs_too_long(project: Project) -> None:
    before = project.python("from project import *; print(add.delay(1, 2).id)").strip()
    command = ["worker", "-A", "project", "-l", "info", "--purge", "--time-limit", "0.5", "-q"]
    with project.program("-m", "liteq", *command) as worker:
        worker.wait_for_line("ready")
        out = project.python(
            "from project import *\nprint(repr(nap.delay(60).get(timeout=25, propagate=False)))"
        )
        assert "dropped 1 task" in worker.output
        assert " [tasks]" not in worker.output
    assert "TimeLimitExceeded" in out
    assert state(project, before) == "PENDING"


def test_a_shell_knows_the_application_and_its_tasks(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "liteq", "shell", "-A", "project"],
        cwd=project.folder,
        env=project.env,
        input="add(2, 3) + 37\ncelery is app, group\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "42" in done.stdout
    assert "(True, <" in done.stdout


def test_purge_leaves_the_queues_that_are_excluded(project: Project) -> None:
    for queue in ("a", "b"):
        project.python(SEND.format("project.add", queue))
    out = project.run("-m", "liteq", "purge", "-A", "project", "-f", "-X", "b", "--json")
    assert {"queues": ["a"], "purged": 1}.items() <= json.loads(out).items()


def test_each_warning_is_shown_once_and_at_a_line_of_the_program(project: Project) -> None:
    project.write("project.py", WARNED)

    with project.worker() as worker:
        out = project.python("from project import slow; print(slow.delay(3).get(timeout=25))")
        assert out.endswith("3\n")
        worker.send(signal.SIGHUP)
        worker.wait_for_line("new code loaded")

    told = [line for line in worker.lines if "Warning:" in line]
    assert len([line for line in told if "'rate_limit'" in line]) == 1
    assert len([line for line in told if "'worker_direct'" in line]) == 1
    assert all("project.py:" in line for line in told if "rate_limit" in line)
    assert not any("liteq/" in line.partition(" ")[0] for line in told)


def test_names_of_files_are_expanded_as_by_celery(project: Project) -> None:
    options = [
        "-n",
        "w1@box.example.org",
        "--pidfile",
        "%n.%d.pid",
        "--logfile",
        "%n%I-%i-%h%%.log",
    ]
    with project.program(
        "-m", "liteq", "worker", "-A", "project", "-l", "info", *options
    ) as worker:
        worker.wait_for_line("broker:")
        wait_for((project.folder / "w1.example.org.pid").exists, "the file with the pid")
        worker.send(signal.SIGTERM)
        worker.wait()
    assert "ready" in (project.folder / "w1-0-box.example.org%.log").read_text()
    assert not list(project.folder.glob("*%n*"))


def test_the_log_of_beat_is_named_too(project: Project) -> None:
    with project.program(
        "-m", "liteq", "beat", "-A", "project", "-f", "%n.log", "-l", "info"
    ) as beat:
        wait_for((project.folder / "beat.log").exists, "its log")
        beat.send(signal.SIGTERM)
        beat.wait()
