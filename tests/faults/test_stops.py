"""A worker is told to stop at any system call of its life, from its first to its last."""

import random
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Broker
from liteq.states import Phase
from tests.e2e.project import TERM, Program, Project, alive, wait_for
from tests.faults.crashpoints_audit import check_file, check_tasks
from tests.faults.strace import Fault, attached, calls_in, needs_strace

pytestmark = needs_strace

TASKS = """
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db")

@app.task(bind=True)
def add(self, x, y):
    with open("ran", "a") as file:
        file.write(self.request.id + "\\n")
    return x + y

@app.task(bind=True)
def twice(self, x, y):
    if not self.request.retries:
        self.retry(countdown=0)
    return add.run(x, y)
"""

SENDER = """
from project import add, twice
for n in range(8):
    add.apply_async((n, 1), task_id=f"add-{n}")
    twice.apply_async((n, 1), task_id=f"twice-{n}")
"""

# It waits to be looked at before it becomes the worker.
WORKER = 'kill -STOP $$; exec "$0" -m liteq worker -A project -c 2 -l critical'
# Where a signal comes between two steps that others see, and where it interrupts a wait.
CALLS = (
    *("pwrite64", "fdatasync", "flock", "sendto", "recvfrom", "write", "read", "sendmsg"),
    *("epoll_wait", "epoll_ctl", "rt_sigaction", "openat", "close", "mmap", "futex", "unlink"),
    *("fork", "vfork", "clone", "clone3", "wait4", "socket", "bind", "connect", "socketpair"),
)


def state(pid: int) -> str | None:
    """The letter of /proc for what a process does; None where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def living_in(folder: Path) -> list[str]:
    """The processes that work in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append((process / "cmdline").read_text())
        except OSError:
            pass
    return found


def all_final(broker: Broker) -> bool:
    return all(each.phase.final for each in broker.counts())


class Stage:
    """A folder with tasks that wait, and a worker that is told to stop."""

    def __init__(self, sent: Path, folder: Path) -> None:
        self.sent = sent
        self.folder = folder / "project"
        self.path = self.folder / "project.db"
        self.log = folder / "strace.log"

    def run(self, fault: Fault | None = None) -> int:
        """Let a worker run until it is told to stop, at last when all is done; its exit code."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.sent, self.folder)
        project = Project(self.folder, TASKS)
        worker = Program(["sh", "-c", WORKER, sys.executable], self.folder, project.env)
        broker = connect(f"sqlite:///{self.path}")
        try:
            wait_for(lambda: state(worker.pid) == "T", "the worker")
            with attached(worker.pid, self.log, fault, CALLS):
                worker.send(signal.SIGCONT)
                wait_for(lambda: not alive(worker.pid) or all_final(broker), "its end")
                if alive(worker.pid):
                    worker.send(TERM)
                return worker.wait()
        finally:
            worker.kill()
            broker.close()

    def audit(self) -> None:
        """Nothing runs, nothing was lost, nothing was run twice, and nothing is charged."""
        check_file(self.path)
        check_tasks(self.path)
        with closing(sqlite3.connect(self.path)) as database:
            rows = database.execute("select id, phase, lost from liteq_task").fetchall()
            outcomes = database.execute("select distinct outcome from liteq_attempt").fetchall()
        book = self.folder / "ran"
        ran = Counter(book.read_text().split() if book.exists() else ())
        phases = {id: Phase(phase) for id, phase, _ in rows}

        assert len(rows) == 16
        assert set(phases.values()) <= {Phase.READY, Phase.SUCCEEDED}
        assert ran == Counter(id for id, phase in phases.items() if phase is Phase.SUCCEEDED)
        assert all(lost == 0 for _, _, lost in rows)
        assert outcomes in ([], [("retry",)])
        wait_for(lambda: living_in(self.folder) == [], "the end of all children")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which tasks wait."""
    folder = tmp_path_factory.mktemp("sent")
    Project(folder, TASKS).python(SENDER)
    return folder


@pytest.fixture
def stage(sent: Path, tmp_path: Path) -> Stage:
    return Stage(sent, tmp_path)


def test_a_worker_may_be_told_to_stop_at_some_calls(stage: Stage) -> None:
    stop_at(stage, 8)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_a_worker_may_be_told_to_stop_at_many_calls(stage: Stage, seed: int) -> None:
    stop_at(stage, 60, seed)


def stop_at(stage: Stage, number: int, seed: int = 0) -> None:
    assert stage.run() == 0
    stage.audit()
    made = calls_in(stage.log)
    chance = random.Random(seed)
    ends = Counter[int]()
    for _ in range(number):
        call = chance.choice(sorted(made))
        fault = Fault(call, chance.randint(1, made[call]), "signal=SIGTERM")
        code = stage.run(fault)
        # Before it listens to signals, and when it no longer does, it holds nothing.
        assert code in {0, -TERM}, fault
        stage.audit()
        ends[code] += 1
    print(f"stopped at {number} calls: {dict(ends)}")
