"""A worker inside the user's own program."""

import sys
from pathlib import Path

import pytest

from .project import KILL, Project, alive, children_of, wait_for

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SCRIPT = """
import os, sys, time
from liteq import LiteQ

app = LiteQ("script", broker="sqlite:///script.db")

@app.task
def add(x, y):
    return x + y

@app.task
def where():
    return os.getpid()

"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_tasks_of_a_guarded_script_are_run_in_child_processes(project: Project) -> None:
    project.write(
        "script.py",
        SCRIPT
        + "if __name__ == '__main__':\n"
        + "    with app.Worker(concurrency=2):\n"
        + "        print(add.delay(2, 3).get(timeout=20), where.delay().get() != os.getpid())\n",
    )

    assert project.run("script.py") == "5 True\n"


def test_tasks_of_a_script_without_a_guard_are_run_too_and_nothing_is_sent_twice(
    project: Project,
) -> None:
    project.write(
        "script.py",
        SCRIPT
        + "with app.Worker(concurrency=2):\n"
        + "    print(add.delay(2, 3).get(timeout=20))\n"
        + "print(sum(count.tasks for count in app.broker.counts()))\n",
    )

    assert project.run("script.py") == "5\n1\n"


def test_what_a_script_without_a_guard_sends_before_is_not_sent_again(project: Project) -> None:
    project.write(
        "script.py",
        SCRIPT
        + "result = add.delay(2, 3)\n"
        + "with app.Worker(concurrency=2):\n"
        + "    print(result.get(timeout=20))\n"
        + "print(sum(count.tasks for count in app.broker.counts()))\n",
    )

    assert project.run("script.py") == "5\n1\n"


def test_a_script_that_is_run_as_a_module(project: Project) -> None:
    project.write("package/__init__.py", "")
    project.write("package/helper.py", "THREE = 3")
    project.write(
        "package/__main__.py",
        "from .helper import THREE\n"
        + SCRIPT
        + "with app.Worker(concurrency=1): print(add.delay(2, THREE).get(timeout=20))\n",
    )

    assert project.run("-m", "package") == "5\n"


def test_at_a_prompt_the_error_says_what_to_do(project: Project) -> None:
    out = project.python(
        SCRIPT
        + "try: app.Worker().start()\nexcept Exception as exc: print(type(exc).__name__, exc)"
    )

    assert out.startswith("ImproperlyConfigured")
    assert "pool='threads'" in out


def test_at_a_prompt_threads_do(project: Project) -> None:
    out = project.python(
        SCRIPT + "with app.Worker(pool='threads'): print(add.delay(2, 3).get(timeout=20))"
    )

    assert out == "5\n"


def test_a_worker_can_be_started_from_any_thread_and_takes_no_signals(project: Project) -> None:
    out = project.python(
        "import signal, threading\nfrom project import app, add\n"
        "before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]\n"
        "def work():\n"
        "    with app.Worker(concurrency=1): print(add.delay(2, 3).get(timeout=20))\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "print(before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)])"
    )

    assert out == "5\nTrue\n"


def test_a_program_that_forgets_to_stop_it_ends_in_order(project: Project) -> None:
    out = project.python(
        "from project import app, add\nworker = app.Worker(concurrency=1).start()\n"
        "print(add.delay(2, 3).get(timeout=20))"
    )

    assert out == "5\n"
    assert "no worker" in project.liteq("status", "-A", "project", code=69).lower()


def test_stop_with_a_timeout_gives_back_what_still_runs(project: Project, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    out = project.python(
        "import os, time\nfrom project import app, mark\n"
        "worker = app.Worker(concurrency=1).start()\n"
        f"mark.delay({str(notes)!r}, 60)\n"
        f"while not os.path.exists({str(notes)!r}): time.sleep(0.01)\n"
        "print(worker.stop(timeout=0.2))\n"
        "print([(c.phase.name, c.tasks) for c in app.broker.counts()])"
    )

    assert out == "False\n[('READY', 1)]\n"


def test_a_failed_start_is_told_to_who_started_it(project: Project, tmp_path: Path) -> None:
    (tmp_path / "project.db").write_bytes(b"no database" * 100)
    (tmp_path / "project.db").chmod(0o600)
    out = project.python(
        "from project import app\n"
        "try: app.Worker(pool='threads').start()\n"
        "except Exception as exc: print(type(exc).__name__)"
    )

    assert out == "BrokerCorrupt\n"


@linux
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(3)", "raise SystemExit(4)"])
def test_no_process_stays_however_the_host_ends(project: Project, tmp_path: Path, end: str) -> None:
    notes, go = tmp_path / "notes", tmp_path / "go"
    source = (
        "import os, time\nfrom project import app, mark\n"
        "app.Worker(concurrency=2).start()\n"
        f"mark.delay({str(notes)!r}, 60)\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        f"{end}"
    )
    with project.program("-c", source) as program:
        wait_for(notes.exists, "the task")
        offspring = children_of(program.pid)
        assert len(offspring) >= 3
        go.touch()
        program.wait()

        wait_for(lambda: not any(map(alive, offspring)), "the end of the children")


@linux
def test_what_a_killed_host_was_running_goes_on_at_the_next_start(
    project: Project, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    source = (
        "import time\nfrom project import app, mark\n"
        "app.Worker(concurrency=1).start()\n"
        f"mark.delay({str(notes)!r}, 2)\ntime.sleep(60)"
    )
    with project.program("-c", source) as program:
        wait_for(notes.exists, "the task")
        program.send(KILL)
        program.wait()
    out = project.python(
        "import os, time\nfrom project import app\n"
        "with app.Worker(concurrency=1):\n"
        f"    while 'end' not in open({str(notes)!r}).read(): time.sleep(0.01)\n"
        "print([(c.phase.name, c.tasks) for c in app.broker.counts()])"
    )

    assert "rescued from a dead worker" in out
    assert out.splitlines()[-1] == "[('SUCCEEDED', 1)]"
