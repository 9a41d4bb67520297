"""Workers and whole process groups die or stop. Nothing is lost, little is done twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.project import (
    KILL,
    PORTABLE,
    Project,
    alive,
    children_of,
    wait_for,
)
from tests.faults.process_tasks import (
    TASKS,
    lost,
    newest_child,
    notes,
    outcome,
    parent,
    send,
)

native = pytest.mark.skipif(PORTABLE, reason="children are not forked")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


def scoreboards(tmp: Path) -> list[Path]:
    return list(tmp.glob("liteq-scoreboard-*"))


def test_everything_of_a_worker_is_killed_and_the_next_one_takes_up_the_work_at_once(
    project: Project, tmp_path: Path
) -> None:
    tmp, path = tmp_path / "tmp", tmp_path / "notes"
    tmp.mkdir()
    project.env["TMPDIR"] = str(tmp)
    with project.worker() as worker:
        id = send(project, f"mark.delay({str(path)!r}, 1)")
        wait_for(lambda: notes(path), "the task")
        for pid in {worker.pid, *children_of(worker.pid)}:
            os.kill(pid, KILL)
        worker.wait()
    assert len(scoreboards(tmp)) == 1
    with project.worker():
        out = outcome(project, id)
        wait_for(lambda: len(scoreboards(tmp)) == 1, "the end of the old scoreboard")

    assert "SUCCESS" in out
    assert len(notes(path)) == 2


VERSION = "from project import *; print(version.delay().get(timeout=25))"


def versioned(number: int, before: str = "") -> str:
    return f"{TASKS}\n{before}\n@app.task\ndef version(): return {number}\n"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
def test_a_worker_whose_temporary_files_were_cleaned_up_loads_new_code(
    project: Project, tmp_path: Path
) -> None:
    """Many systems delete what nobody has touched for ten days."""
    tmp = tmp_path / "tmp"
    tmp.mkdir()
    project.env["TMPDIR"] = str(tmp)
    project.write("project.py", versioned(1))
    with project.worker("-c", "1") as worker:
        assert project.python(VERSION) == "1\n"
        for path in scoreboards(tmp):
            path.unlink()
        project.write("project.py", versioned(2))
        worker.send(signal.SIGHUP)
        wait_for(lambda: project.python(VERSION) == "2\n", "the new code")
        if not PORTABLE:
            os.kill(parent(newest_child(worker)), KILL)
        assert project.python(VERSION) == "2\n"


@native
def test_new_code_is_announced_and_its_options_count(project: Project) -> None:
    gone = "@app.task\ndef gone(): ...\n"
    new = "@app.task\ndef new(): ...\n"
    limited = new + "@app.task(time_limit=0.2)\ndef long(): time.sleep(60)\n"
    project.write("project.py", versioned(1, gone))
    with project.worker("-c", "1") as worker:
        project.write("project.py", versioned(2, limited))
        worker.send(signal.SIGHUP)
        worker.wait_for_line(
            r"new code loaded: \+2 -1 tasks: \+project\.long, \+project\.new, -project\.gone"
        )
        source = "from project import long\nprint(long.delay().get(timeout=60, propagate=False))"
        assert "time limit of 0.2 s" in project.python(source)
        wait_for(lambda: "project.new" in project.liteq("inspect", "registered", "-A", "project"))


def test_a_worker_that_cannot_take_over_options_of_new_code_says_so(project: Project) -> None:
    project.env["LITEQ_PORTABLE"] = "1"
    project.write("project.py", versioned(1))
    with project.worker("-c", "1") as worker:
        project.write("project.py", versioned(2))
        worker.send(signal.SIGHUP)
        worker.wait_for_line("WARNING.*new code.*time limits.*until it is restarted")
        wait_for(lambda: project.python(VERSION) == "2\n", "the new code")


@native
def test_new_code_whose_fork_server_exits_is_in_the_log_and_the_old_one_stays(
    project: Project,
) -> None:
    project.write("project.py", versioned(1))
    with project.worker("-c", "1") as worker:
        broken = "if 'liteq.pools.forkserver' in sys.modules: os._exit(3)"
        project.write("project.py", versioned(2, broken))
        worker.send(signal.SIGHUP)
        worker.wait_for_line("new code cannot be loaded, the old one stays.* code 3")
        project.write("project.py", versioned(1))  # what sends imports it as well
        assert project.python(VERSION) == "1\n"


def test_scoreboards_go_with_their_worker(project: Project, tmp_path: Path) -> None:
    tmp = tmp_path / "tmp"
    tmp.mkdir()
    project.env["TMPDIR"] = str(tmp)
    for pool in ("processes", "threads", "solo"):
        with project.worker("-P", pool) as worker:
            assert len(scoreboards(tmp)) == 1
            worker.send(signal.SIGTERM)
            assert worker.wait() == 0
        assert scoreboards(tmp) == []


@pytest.mark.parametrize("portable", ["0", "1"])
def test_no_run_overlaps_with_one_of_a_worker_whose_whole_group_was_killed(
    project: Project, tmp_path: Path, portable: str
) -> None:
    """A child that is busy in C code cannot notice that it is alone."""
    project.env["LITEQ_PORTABLE"] = portable
    path = tmp_path / "notes"
    argv = [sys.executable, "-m", "liteq", "worker", "-A", "project", "-c", "1"]
    worker = subprocess.Popen(
        argv,
        cwd=project.folder,
        env=project.env,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    send(project, f"spin_in_c.delay({str(path)!r})")
    wait_for(lambda: notes(path), "the task")
    busy = notes(path)[0][0]
    started_by_it = children_of(busy)
    assert started_by_it
    os.killpg(worker.pid, KILL)
    worker.wait()

    wait_for(lambda: not any(map(alive, {busy, *started_by_it})), "their end", deadline=10)


def test_a_stopped_worker_keeps_its_tasks_and_goes_on(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    with project.worker("-c", "1") as first:
        id = send(project, f"mark.delay({str(path)!r}, 1)")
        wait_for(lambda: notes(path), "the task")
        first.send(signal.SIGSTOP)
        with project.worker("-c", "1") as second:
            # Several of its rounds of rescue pass, and tasks are run in between.
            end = time.monotonic() + 4
            while time.monotonic() < end:
                assert "SUCCESS" in outcome(project, send(project, "add.delay(1, 1)"))
            assert "rescued" not in second.output
            first.send(signal.SIGCONT)
            out = outcome(project, id)

    assert "SUCCESS" in out
    assert len(notes(path)) == 1
    assert lost(project, id) == 0


def test_a_number_that_another_process_has_now_is_not_taken_for_the_worker(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    with project.worker("-c", "1") as worker:
        id = send(project, f"mark.delay({str(path)!r}, 1)")
        wait_for(lambda: notes(path), "the task")
        for pid in {worker.pid, *children_of(worker.pid)}:
            os.kill(pid, KILL)
        worker.wait()
    # As if this process had been given the number that the worker had.
    project.python(
        "import sqlite3\n"
        "db = sqlite3.connect('project.db')\n"
        "(owner,) = db.execute('select owner from liteq_worker').fetchone()\n"
        "host, boot, space, pid, start = owner.split('|')\n"
        f"owner = '|'.join((host, boot, space, '{os.getpid()}', start))\n"
        f"pid = {os.getpid()}\n"
        "db.execute('update liteq_worker set pid = ?, owner = ?', (pid, owner)); db.commit()"
    )
    with project.worker("-c", "1"):
        assert "SUCCESS" in outcome(project, id)


def test_a_worker_that_is_only_a_zombie_is_dead(project: Project, tmp_path: Path) -> None:
    """Its parent does not collect it, as the first process of many a container."""
    path = tmp_path / "notes"
    with project.worker("-c", "1") as worker:
        id = send(project, f"mark.delay({str(path)!r}, 1)")
        wait_for(lambda: notes(path), "the task")
        worker.send(KILL)
        wait_for(lambda: not alive(worker.pid), "its end")
        assert worker.process.returncode is None  # not collected
        with project.worker("-c", "1"):
            assert "SUCCESS" in outcome(project, id)


def test_what_a_killed_worker_had_finished_is_not_run_again(
    project: Project, tmp_path: Path
) -> None:
    """The result is seen, and the very next thing that happens is the end of its worker."""
    path = tmp_path / "notes"
    source = (
        "import os\nfrom project import *\n"
        f"r = mark.delay({str(path)!r}); r.get(timeout=25)\n"
        "os.kill(int(open('supervisor').read()), 9); print(r.id)"
    )
    for run in range(3):
        with project.worker("-c", "1") as worker:
            (tmp_path / "supervisor").write_text(str(worker.pid))
            id = project.python(source).strip()
            worker.wait()
        with project.worker("-c", "1"):
            assert "SUCCESS" in outcome(project, id)
            assert outcome(project, send(project, "add.delay(2, 3)")) == "5 SUCCESS\n"
        assert len(notes(path)) == run + 1
        assert lost(project, id) == 0
