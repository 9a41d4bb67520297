"""How a worker leaves: on every step of the ladder, idle and busy, in every pool."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.project import (
    FORK_SERVERS,
    INT,
    KILL,
    PORTABLE,
    TERM,
    Program,
    Project,
    alive,
    children_of,
    has_lines,
    wait_for,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

QUIT, HUP = signal.SIGQUIT, signal.SIGHUP

TASKS = """
import os, signal, subprocess, sys, time
from liteq import LiteQ

GRACE = float(os.environ.get("GRACE", 30))
app = LiteQ("project", broker="sqlite:///project.db", shutdown_grace=GRACE)

def note(path, text):
    with open(path, "a") as file:
        file.write(f"{text} {os.getpid()}\\n")

@app.task
def until(path, go):
    note(path, "begin")
    while not os.path.exists(go):
        time.sleep(0.01)
    note(path, "end")

@app.task(acks_late=False)
def once(path):
    note(path, "begin")
    time.sleep(60)

@app.task
def told_to_end(path):
    def obey(*_):
        note(path, "told")
        sys.exit(1)
    signal.signal(signal.SIGTERM, obey)
    note(path, "begin")
    time.sleep(60)

@app.task
def with_program(path):
    note(path, "begin")
    subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"], check=True)

@app.task
def double_fork(path):
    program = "import os, sys; os.fork() and os._exit(0); print(os.getpid(), flush=True)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return int(out.stdout)

@app.task
def add(x, y):
    return x + y

@app.task
def version():
    import code_of_task
    return code_of_task.VERSION
"""

POOLS = ("processes", "threads", "solo")


class Work:
    """One task that runs until it may end."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.path = project.folder / "notes"
        self.go = project.folder / "go"

    def start(self, call: str | None = None) -> str:
        call = call or f"until.delay({str(self.path)!r}, {str(self.go)!r})"
        id = self.project.python(f"from project import *; print(({call}).id)").strip()
        self.begun(1)
        return id

    def begun(self, count: int) -> None:
        wait_for(lambda: self.words().count("begin") >= count, "the task")

    def words(self) -> list[str]:
        text = self.path.read_text() if self.path.exists() else ""
        return [line.split()[0] for line in text.splitlines()]

    def phases(self) -> str:
        """Of all tasks, with the times that they lost their worker."""
        return self.project.python(
            "import sqlite3; db = sqlite3.connect('project.db')\n"
            "from liteq.states import Phase\n"
            "for phase, lost in db.execute('select phase, lost from liteq_task order by seq'):\n"
            "    print(Phase(phase).name, lost)"
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, TASKS)


@pytest.fixture
def work(project: Project) -> Work:
    return Work(project)


@contextmanager
def leaves_nothing(worker: Program) -> Iterator[None]:
    """The worker ends in here, and all of its processes with it."""
    offspring = children_of(worker.pid)
    yield
    wait_for(lambda: not any(map(alive, offspring)), "the end of its processes")


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(
    ("number", "code"), [(TERM, 0), (INT, 0), (QUIT, 131)], ids=["TERM", "INT", "QUIT"]
)
def test_an_idle_worker_ends_at_once(
    project: Project, pool: str, number: signal.Signals, code: int
) -> None:
    with project.worker("-P", pool) as worker, leaves_nothing(worker):
        worker.send(number)
        assert worker.wait() == code

    assert "Traceback" not in worker.output
    assert "no worker" in project.liteq("status", "-A", "project", code=69).lower()


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("signals", [(TERM,), (TERM, TERM, TERM), (INT,), (INT, TERM)], ids=str)
def test_a_warm_stop_lets_what_runs_end_and_begins_nothing_new(
    project: Project, work: Work, pool: str, signals: tuple[signal.Signals, ...]
) -> None:
    with project.worker("-c", "1", "-P", pool) as worker, leaves_nothing(worker):
        work.start()
        for number in signals:
            worker.send(number)
        project.python("from project import *; add.delay(1, 1)")
        assert worker.process.poll() is None
        work.go.touch()
        assert worker.wait() == 0

    assert work.words() == ["begin", "end"]
    assert work.phases() == "SUCCEEDED 0\nREADY 0\n"


def test_the_first_interrupt_says_one_thing(project: Project, work: Work) -> None:
    with project.worker("-c", "1") as worker:
        work.start()
        worker.send(INT)
        worker.wait_for_line("finishing what runs; Ctrl-C again to end it now")
        work.go.touch()
        assert worker.wait() == 0

    assert worker.output.count("Ctrl-C") == 1


@pytest.mark.parametrize("pool", ["processes", "threads"])
@pytest.mark.parametrize(
    ("signals", "code"),
    [((INT, INT), 130), ((QUIT,), 131), ((TERM, QUIT), 131)],
    ids=["INT INT", "QUIT", "TERM QUIT"],
)
def test_a_cold_stop_ends_what_runs_and_gives_it_back_uncharged(
    project: Project, work: Work, pool: str, signals: tuple[signal.Signals, ...], code: int
) -> None:
    with project.worker("-c", "1", "-P", pool) as worker, leaves_nothing(worker):
        work.start()
        for number in signals:
            worker.send(number)
            if number is INT and "Ctrl-C again" not in worker.output:
                worker.wait_for_line("Ctrl-C again")
        assert worker.wait() == code

    assert "Traceback" not in worker.output
    assert work.phases() == "READY 0\n"


def test_a_third_interrupt_ends_the_worker_even_if_it_hangs(project: Project, work: Work) -> None:
    """The solo pool runs the task where the second one would have to be handled."""
    with project.worker("-P", "solo") as worker, leaves_nothing(worker):
        work.start()
        for _ in range(3):
            worker.send(INT)
            time.sleep(0.2)  # signals of one kind that come together are one
        assert worker.wait() == 130
    work.go.touch()
    with project.worker():
        wait_for(lambda: "SUCCEEDED" in work.phases(), "the rescue")


def test_what_may_run_only_once_has_failed_when_it_is_cut_short(
    project: Project, work: Work
) -> None:
    with project.worker("-c", "1") as worker:
        id = work.start(f"once.delay({str(work.path)!r})")
        worker.send(QUIT)
        assert worker.wait() == 131
    out = project.python(
        f"from project import app; print(repr(app.AsyncResult({id!r}).get(propagate=False)))"
    )

    assert work.phases().startswith("FAILED")
    assert "its worker was stopped while it ran" in out


def test_what_outlasts_the_grace_is_told_then_killed_and_given_back(
    project: Project, work: Work
) -> None:
    project.env["GRACE"] = "0.3"
    with project.worker("-c", "1") as worker, leaves_nothing(worker):
        work.start()
        worker.send(TERM)
        worker.wait_for_line("still run after 0.3 s are terminated")
        assert worker.wait() == 0

    assert work.words() == ["begin"]
    assert work.phases() == "READY 0\n"


@pytest.mark.parametrize("name", ["told_to_end", "with_program"])
def test_what_ends_because_it_was_told_to_has_not_failed(
    project: Project, work: Work, name: str
) -> None:
    """Neither a task that obeys, nor one whose own program does, is charged with it."""
    project.env["GRACE"] = "0.3"
    with project.worker("-c", "1") as worker, leaves_nothing(worker):
        work.start(f"{name}.delay({str(work.path)!r})")
        if name == "with_program":
            wait_for(lambda: len(children_of(worker.pid)) == FORK_SERVERS + 2, "the program")
        worker.send(TERM)
        assert worker.wait() == 0

    assert work.phases() == "READY 0\n"
    assert ("told" in work.words()) == (name == "told_to_end")


@pytest.mark.parametrize("portable", ["0", "1"])
def test_hup_loads_new_code_after_what_runs(project: Project, work: Work, portable: str) -> None:
    project.env["LITEQ_PORTABLE"] = portable
    project.write("code_of_task.py", "VERSION = 1")
    project.write("project.py", "import code_of_task\n" + TASKS)
    ask = "from project import *; print(version.delay().get(timeout=25))"
    with project.worker() as worker:
        assert project.python(ask) == "1\n"
        work.start()
        project.write("code_of_task.py", "VERSION = 'two'")
        worker.send(HUP)
        # The slot that is free goes on with the new code while the other one still runs the old.
        wait_for(lambda: project.python(ask) == "two\n", "the new code")
        assert work.words() == ["begin"]
        work.go.touch()
        wait_for(lambda: work.words() == ["begin", "end"], "the task")
        assert [project.python(ask) for _ in range(4)] == ["two\n"] * 4
        worker.send(TERM)
        assert worker.wait() == 0

    assert "lost its process" not in worker.output
    assert "SUCCEEDED" in work.phases()


@pytest.mark.skipif(PORTABLE, reason="nobody tries new code before the children do")
def test_new_code_that_cannot_be_imported_changes_nothing(project: Project, work: Work) -> None:
    with project.worker() as worker:
        work.start()
        (project.folder / "project.py").write_text("this is no Python")
        worker.send(HUP)
        worker.wait_for_line("the new code cannot be imported, the old one stays")
        project.write("project.py", TASKS)
        assert project.python("from project import *; print(add.delay(2, 3).get(timeout=25))")
        work.go.touch()
        wait_for(lambda: "end" in work.words(), "the task")
        worker.send(TERM)
        assert worker.wait() == 0


def test_a_pool_that_cannot_load_new_code_says_so(project: Project) -> None:
    with project.worker("-P", "threads") as worker:
        worker.send(HUP)
        worker.wait_for_line("this pool cannot load new code")
        worker.send(TERM)
        assert worker.wait() == 0


class Terminal:
    """A worker in the foreground of a terminal of its own."""

    def __init__(self, project: Project) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(project.folder)
            argv = [sys.executable, "-m", "liteq", "worker", "-A", "project", "-l", "info"]
            os.execve(sys.executable, [*argv, "-c", "2"], project.env)
        self.output = b""

    def read_until(self, text: bytes) -> None:
        while text not in self.output:
            self.output += os.read(self.fd, 4096)

    def type(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def wait(self) -> int:
        try:
            while data := os.read(self.fd, 4096):
                self.output += data
        except OSError:  # the other side is closed
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        os.close(self.fd)


@pytest.fixture
def terminal(project: Project) -> Iterator[Terminal]:
    terminal = Terminal(project)
    terminal.read_until(b"[tasks]")
    yield terminal
    if alive(terminal.pid):
        os.kill(terminal.pid, KILL)


def test_ctrl_c_at_a_terminal_reaches_the_worker_only(terminal: Terminal, work: Work) -> None:
    """The terminal sends it to every process in the foreground."""
    work.start()
    terminal.type(b"\x03")
    terminal.read_until(b"Ctrl-C again to end it now")
    work.go.touch()

    assert terminal.wait() == 0
    assert terminal.output.count(b"Ctrl-C again") == 1
    assert b"Traceback" not in terminal.output
    assert work.words() == ["begin", "end"]
    terminal.close()


def test_ctrl_c_twice_at_a_terminal_gives_back_what_runs(terminal: Terminal, work: Work) -> None:
    work.start()
    terminal.type(b"\x03")
    terminal.read_until(b"Ctrl-C again to end it now")
    terminal.type(b"\x03")

    assert terminal.wait() == 130
    assert work.phases() == "READY 0\n"
    terminal.close()


def test_a_terminal_that_is_closed_is_a_warm_stop(terminal: Terminal, work: Work) -> None:
    work.start()
    terminal.close()
    work.go.touch()
    os.waitpid(terminal.pid, 0)

    assert work.words() == ["begin", "end"]
    assert work.phases() == "SUCCEEDED 0\n"


def can_be_first() -> bool:
    probe = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_be_first(), reason="needs a pid namespace of its own")
@pytest.mark.parametrize("pool", ["processes", "threads"])
@pytest.mark.parametrize(("number", "code"), [(TERM, 0), (QUIT, 131)], ids=["TERM", "QUIT"])
def test_a_worker_that_is_the_first_process_of_a_container(
    project: Project, work: Work, pool: str, number: signal.Signals, code: int
) -> None:
    argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-m"]
    options = ["worker", "-A", "project", "-l", "info", "-c", "2", "-P", pool]
    container = Program([*argv, "liteq", *options], project.folder, project.env)
    try:
        container.wait_for_line(r"\[tasks\]")
        (first,) = (pid for pid in children_of(container.pid) if parent_of(pid) == container.pid)
        id = project.python("from project import *; print(double_fork.delay('').id)").strip()
        project.python(f"from project import app; print(app.AsyncResult({id!r}).get(timeout=25))")
        wait_for(lambda: not zombies(first), "the end of the orphan")
        work.start()
        os.kill(first, number)
        work.go.touch()
        assert container.wait() == code
    finally:
        container.kill()

    assert "Traceback" not in container.output


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def zombies(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] == "Z" and int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found


def test_a_stop_says_in_the_log_why_and_what_it_waits_for(project: Project) -> None:
    notes, go = project.folder / "notes", project.folder / "go"
    with project.worker() as worker:
        project.python(f"from project import until; until.delay({str(notes)!r}, {str(go)!r})")
        wait_for(has_lines(notes))
        worker.send(signal.SIGTERM)
        worker.wait_for_line(r"stopping \(SIGTERM\): waiting for at most 30 s for project\.until\[")
        go.touch()
        assert worker.wait() == 0

    assert worker.output.count("stopping (") == 1


def test_a_stop_with_nothing_to_do_and_one_at_once_are_in_the_log_too(project: Project) -> None:
    notes, go = project.folder / "notes", project.folder / "go"
    with project.worker() as worker:
        worker.send(signal.SIGTERM)
        worker.wait()
    assert "stopping (SIGTERM): no task runs" in worker.output

    with project.worker() as worker:
        project.python(f"from project import until; until.delay({str(notes)!r}, {str(go)!r})")
        wait_for(has_lines(notes))
        worker.send(QUIT)
        worker.wait()
    assert "stopping (SIGQUIT) at once: 1 running tasks are ended" in worker.output
