"""Processes die: children, supervisors, whole groups. Nothing is lost, little is done twice."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.project import (
    FORK_SERVERS,
    KILL,
    PORTABLE,
    Program,
    Project,
    alive,
    children_of,
    wait_for,
)
from tests.faults.strace import Fault, attached, needs_strace

native = pytest.mark.skipif(PORTABLE, reason="children are not forked")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TASKS = """
import os, signal, sys, time, ctypes, subprocess
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")

def note(path, text):
    with open(path, "a") as file:
        file.write(f"{text} {os.getpid()} {time.monotonic()}\\n")

@app.task
def add(x, y):
    return x + y

@app.task
def mark(path, seconds=0.0):
    note(path, "begin")
    time.sleep(seconds)
    note(path, "end")
    return os.getpid()

@app.task(bind=True)
def end(self, how):
    {
        "segfault": lambda: ctypes.string_at(0),
        "exit 0": lambda: os._exit(0),
        "exit 3": lambda: os._exit(3),
        "abort": lambda: os.abort(),
    }[how]()

@app.task(bind=True)
def kill_the_worker(self, path):
    note(path, "begin")
    os.kill(int(open("supervisor").read()), signal.SIGKILL)
    time.sleep(60)

@app.task
def hold(path):
    note(path, "begin")
    while not os.path.exists("go"):
        time.sleep(0.01)

@app.task
def spin_in_c(path):
    subprocess.Popen(["sleep", "60"])
    note(path, "begin")
    sum(range(10**11))
"""

# How each task that the store knows has ended: id, phase, times its worker died.
LOST = """
import sqlite3, sys
db = sqlite3.connect("project.db")
for id, phase, lost in db.execute("select id, phase, lost from task order by seq"):
    print(id, phase, lost)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def noted(path: Path, runs: int) -> bool:
    return len(notes(path)) == runs


def replaced(worker: Program, child: int) -> bool:
    return newest_child(worker) != child


def notes(path: Path, word: str = "begin") -> list[tuple[int, float]]:
    """Who noted `word`, and when."""
    lines = path.read_text().splitlines() if path.exists() else []
    fields = [line.split() for line in lines]
    return [(int(pid), float(at)) for said, pid, at in fields if said == word]


def send(project: Project, call: str) -> str:
    """Send a task; its id."""
    return project.python(f"from project import *; print(({call}).id)").strip()


def outcome(project: Project, id: str) -> str:
    return project.python(
        "from project import app\n"
        f"r = app.AsyncResult({id!r}); print(repr(r.get(timeout=25, propagate=False)), r.state)"
    )


def lost(project: Project, id: str) -> int:
    rows = [line.split() for line in project.python(LOST).splitlines()]
    return next(int(row[2]) for row in rows if row[0] == id)


def test_a_task_whose_child_was_killed_runs_again_and_the_others_do_not_notice(
    project: Project, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with project.worker() as worker:
        victim = send(project, f"mark.delay({str(first)!r}, 1.5)")
        neighbour = send(project, f"mark.delay({str(second)!r}, 1.5)")
        wait_for(lambda: notes(first) and notes(second), "both tasks")
        os.kill(notes(first)[0][0], KILL)
        wait_for(lambda: len(notes(first)) == 2, "the second run")
        outcome(project, victim)
        outcome(project, neighbour)
        wait_for(lambda: len(children_of(worker.pid)) == FORK_SERVERS + 2, "the pool in full size")

    assert lost(project, victim) == 1
    assert lost(project, neighbour) == 0
    assert len(notes(second)) == 1


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("segfault", "SIGSEGV"),
        ("abort", "SIGABRT"),
        ("exit 0", "exited with code 0"),
        ("exit 3", "exited with code 3"),
    ],
)
def test_the_error_says_how_the_process_ended(project: Project, how: str, told: str) -> None:
    with project.worker("-c", "1"):
        out = outcome(project, send(project, f"end.delay({how!r})"))

    assert "WorkerLostError" in out
    assert told in out
    assert "FAILURE" in out


def test_a_task_that_kills_its_worker_is_set_aside_and_those_beside_it_are_not_charged(
    project: Project, tmp_path: Path
) -> None:
    """Even those that were in the same child's backlog when it happened."""
    path = tmp_path / "notes"
    send(project, "[add.delay(n, n) for n in range(200)][0]")
    with project.worker("-c", "1"):  # short, so they will be handed out many at a time
        wait_for(lambda: " 4 " in project.python(LOST).splitlines()[-1], "the last of them")
    poison = send(project, f"[kill_the_worker.delay({str(path)!r})][0]")
    send(project, "[add.delay(n, n) for n in range(200)][0]")
    for death in range(3):
        with project.worker("-c", "1") as worker:
            (tmp_path / "supervisor").write_text(str(worker.pid))
            wait_for(partial(noted, path, death + 1), "the poison")
            worker.wait()
    with project.worker("-c", "1"):
        out = outcome(project, poison)
        wait_for(lambda: " 3 " not in project.python(LOST), "the rest")
        wait_for(lambda: " 2 " not in project.python(LOST), "the rest")
    rows = [line.split() for line in project.python(LOST).splitlines()]

    assert "3 of 3 processes" in out
    assert len(notes(path)) == 3
    assert [row[1:] for row in rows if row[0] != poison] == [["4", "0"]] * 400


@native
def test_a_child_that_dies_with_its_fork_server_is_missed(project: Project, tmp_path: Path) -> None:
    """Whichever of the two ends the supervisor hears of first."""
    path, go = tmp_path / "first", tmp_path / "go"
    with project.worker() as worker:
        id = send(project, f"hold.delay({str(path)!r})")
        wait_for(lambda: notes(path), "the task")
        ((child, _),) = notes(path)
        for pid in (parent(child), child):
            os.kill(pid, KILL)
        go.touch()
        assert "SUCCESS" in outcome(project, id)
        wait_for(lambda: len(children_of(worker.pid)) == FORK_SERVERS + 2, "the pool in full size")

    assert lost(project, id) == 1


@native
def test_the_end_of_a_fork_server_costs_no_task_anything(project: Project, tmp_path: Path) -> None:
    """It may be the one that the kernel picks when memory is short. Its children end their tasks
    and are replaced by those of the next one, which guards them again."""
    first, second, go = tmp_path / "first", tmp_path / "second", tmp_path / "go"
    with project.worker() as worker:
        ids = [send(project, f"hold.delay({str(path)!r})") for path in (first, second)]
        wait_for(lambda: notes(first) and notes(second), "both tasks")
        (server,) = {parent(pid) for pid, _ in notes(first) + notes(second)}
        os.kill(server, KILL)
        wait_for(lambda: not alive(server), "its end")
        go.touch()
        outs = [outcome(project, id) for id in ids]
        fine = outcome(project, send(project, "add.delay(2, 3)"))
        wait_for(lambda: len(children_of(worker.pid)) == FORK_SERVERS + 2, "the pool in full size")

    assert ["SUCCESS" in out for out in outs] == [True, True]
    assert [lost(project, id) for id in ids] == [0, 0]
    assert [len(notes(path)) for path in (first, second)] == [1, 1]
    assert fine == "5 SUCCESS\n"


@native
def test_a_child_that_outlives_its_fork_server_ends_with_its_worker(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    with project.worker("-c", "1") as worker:
        send(project, f"hold.delay({str(path)!r})")
        wait_for(lambda: notes(path), "the task")
        child = notes(path)[0][0]
        os.kill(parent(child), KILL)
        os.kill(worker.pid, KILL)
        worker.wait()
        wait_for(lambda: not alive(child), "the end of the child")


@native
def test_a_task_in_a_child_that_outlives_its_fork_server_may_lose_it(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "notes"
    with project.worker("-c", "1"):
        id = send(project, f"hold.delay({str(path)!r})")
        wait_for(lambda: notes(path), "the task")
        child = notes(path)[0][0]
        server = parent(child)
        os.kill(server, KILL)
        wait_for(lambda: not alive(server), "its end")
        os.kill(child, KILL)
        wait_for(partial(noted, path, 2), "the second run")
        (tmp_path / "go").touch()
        out = outcome(project, id)

    assert "SUCCESS" in out
    assert lost(project, id) == 1


@native
@needs_strace
def test_a_fork_that_fails_harms_nobody_and_is_tried_again(
    project: Project, tmp_path: Path
) -> None:
    """As at a limit of processes, or of memory."""
    path = tmp_path / "notes"
    with project.worker() as worker:
        id = send(project, f"hold.delay({str(path)!r})")
        wait_for(lambda: notes(path), "the task")
        busy = notes(path)[0][0]
        server = parent(busy)
        (idle,) = children_of(server) - {busy}
        with attached(server, tmp_path / "calls", Fault("clone", 1, "error=EAGAIN")):
            os.kill(idle, KILL)
            worker.wait_for_line("no process for slot")
            wait_for(lambda: len(children_of(server)) == 2, "the pool in full size")
        (tmp_path / "go").touch()
        out = outcome(project, id)

    assert "SUCCESS" in out
    assert (len(notes(path)), lost(project, id)) == (1, 0)


@needs_strace
def test_a_fresh_interpreter_that_cannot_be_started_is_tried_again(
    project: Project, tmp_path: Path
) -> None:
    project.env["LITEQ_PORTABLE"] = "1"
    with project.worker("-c", "1") as worker:
        outcome(project, send(project, "add.delay(1, 1)"))
        child = newest_child(worker)
        fault = Fault("vfork,clone", 1, "error=EAGAIN", onwards=True)
        with attached(worker.pid, tmp_path / "calls", fault):
            os.kill(child, KILL)
            worker.wait_for_line("no process for slot")
        out = outcome(project, send(project, "add.delay(2, 3)"))

    assert out == "5 SUCCESS\n"


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
        "(owner,) = db.execute('select owner from worker').fetchone()\n"
        "host, boot, space, pid, start = owner.split('|')\n"
        f"owner = '|'.join((host, boot, space, '{os.getpid()}', start))\n"
        f"db.execute('update worker set pid = {os.getpid()}, owner = ?', (owner,)); db.commit()"
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


def test_a_child_that_is_killed_while_it_is_idle_is_replaced(project: Project) -> None:
    with project.worker("-c", "1") as worker:
        outcome(project, send(project, "add.delay(1, 1)"))
        for _ in range(3):
            child = newest_child(worker)
            os.kill(child, KILL)
            wait_for(partial(replaced, worker, child), "the next child")
        out = outcome(project, send(project, "add.delay(2, 3)"))

    assert out == "5 SUCCESS\n"


def newest_child(worker: Program) -> int:
    """The one child of the pool (the other process is the one that guards it)."""
    size = FORK_SERVERS + 1
    pids = wait_for(lambda: len(found := children_of(worker.pid)) == size and found, "a child")
    assert isinstance(pids, set)
    return max(pids, key=lambda pid: (started(pid), pid))


def started(pid: int) -> int:
    """In ticks since boot; 0 for a process that has ended just now."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0
