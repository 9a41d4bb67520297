"""All kinds of tasks at once, and all kinds of strikes, on both stores; then all is counted.

The long ones are for `make soak`; docs/reliability.md has the figures of the last one.
"""

import json
import os
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from tests.e2e.project import Program, children_of, wait_for
from tests.faults import test_storm, test_storm_workflows
from tests.faults.proxy import Proxy
from tests.faults.test_redis_storm import FILE
from tests.faults.test_storm import Ends, Storm
from tests.servers import RedisServer, needs_redis, running_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

_, WORKFLOW_TASKS = test_storm_workflows.TASKS.split("    return x + y\n", 1)
TASKS = (
    test_storm.TASKS.replace("def add(x, y):", "def add(x, y=0):")
    + "\nfrom liteq import group\n"
    + WORKFLOW_TASKS
    + '''
def note_run(task):
    """Write down that a task begins, in one write that is never torn."""
    with open("runs", "ab", buffering=0) as runs:
        runs.write(f"{task.request.id} in {os.getpid()} at {time.time():.3f}\\n".encode())

@app.task(bind=True, acks_late=False)
def once(self, x, y):
    note_run(self)
    time.sleep(0.01)
    return x + y

@app.task
def later(x, y):
    return x + y

@app.task
def twin(x, y):
    return x + y
'''
)

# Writes down each task, or workflow, once it is acknowledged: id, kind, value.
SENDER = (
    test_storm_workflows.SENDER.split("KINDS =", 1)[0]
    + """
EVERY = [(1999, overdue), (1499, long), (101, stubborn), (53, unwanted), (47, slow), (43, once)]
EVERY += [(41, later), (37, twin)]
if sys.argv[1].endswith(("book0", "book1")):
    EVERY.insert(0, (4999, poison))
WORKFLOWS = [chained, joined, nested, broken, spoilt, forgiven, swapped]

def send(n):
    if n % 23 == 0:
        make = WORKFLOWS[n // 23 % len(WORKFLOWS)]
        canvas, expected = make(n)
        return canvas.apply_async(), make.__name__, expected
    task = next((task for every, task in EVERY if n % every == every // 2), add)
    options = {"countdown": 0.2} if task is later else {}
    result = task.apply_async((n, 1), **options)
    if task is twin:  # the same id once more, as a sender does that got no answer
        task.apply_async((n, 1), task_id=result.id)
    if task is unwanted or task is long:
        result.revoke(terminate=task is long)
    return result, task.__name__, n + 1

with open(sys.argv[1], "a", buffering=1) as book:
    for n in itertools.count(1):
        result, kind, expected = send(n)
        book.write(json.dumps([result.id, kind, expected]) + "\\n")
"""
)

ENDS: dict[str, set[str]] = {
    **test_storm.ENDS,
    **test_storm_workflows.Workflows.allowed,
    "once": {"right", "FAILED"},  # one that may have begun when its process died is not run again
    "later": {"right"},
    "twin": {"right"},
}

# Reads everything back. What is left of workflows counts for all kinds: see `Workflows.allowed`.
AUDIT = (
    test_storm_workflows.AUDIT.replace(
        '    right = "right" if',
        '    if kind == "stubborn" and record.message.retries != 2:\n'
        '        return f"right after {record.message.retries} retries"\n'
        '    right = "right" if',
    )
    .replace(
        "    errbacks = ",  # one question for each of 100,000 tasks takes long
        '    errbacks = kind in ("spoilt", "forgiven") and ',
    )
    .replace("for each in errbacks if", "for each in errbacks or () if")
)


class StormOfAll(Storm):
    """Every kind of task, and every strike that a file can suffer."""

    tasks, sender, auditor = TASKS, SENDER, AUDIT
    allowed: ClassVar[dict[str, set[str]]] = ENDS
    strikes: ClassVar[list[str]] = [
        *["kill_child"] * 6,
        *["kill_worker"] * 3,
        *["kill_sender"] * 3,
        *["kill_fork_server"] * 2,
        "kill_worker_with_all_that_it_started",
        "kill_everything",
        "stop_worker",
        "stop_child",
        "terminate",
        "hang_up",
    ]

    def __init__(self, folder: Path, seed: int, stop: float, tasks: str = TASKS) -> None:
        super().__init__(folder, seed, tasks)
        self.stop = stop  # seconds that a process is stopped
        self.killed: Counter[str] = Counter()
        self._conts: list[threading.Timer] = []

    def strike(self) -> None:
        kind = self.random.choice(self.strikes)
        getattr(self, kind)()
        self.killed[kind] += 1
        self._replace_what_ended()

    def kill_child(self) -> None:
        self._kill(self._any_child())

    def kill_worker(self) -> None:
        self._any_worker().kill()

    def kill_sender(self) -> None:
        self.random.choice(self.senders).kill()

    def kill_fork_server(self) -> None:
        worker = self._any_worker()
        grandchildren = {pid for each in children_of(worker.pid) for pid in children_of(each)}
        for pid in children_of(worker.pid) - grandchildren:
            self._kill(pid)

    def kill_worker_with_all_that_it_started(self) -> None:
        self._kill_tree(self._any_worker())

    def kill_everything(self) -> None:
        for each in (*self.workers, *self.senders):
            self._kill_tree(each)

    def stop_worker(self) -> None:
        self._pause(self._any_worker().pid)

    def stop_child(self) -> None:
        self._pause(self._any_child())

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def hang_up(self) -> None:
        self._signal(signal.SIGHUP)

    def _any_worker(self) -> Program:
        return self.random.choice(self.workers)

    def _any_child(self) -> int:
        """Return a process of a worker: a child, or the fork server."""
        worker = self._any_worker()
        return self.random.choice(sorted(children_of(worker.pid)) or [worker.pid])

    def _signal(self, number: int) -> None:
        """Signal a worker a few times in a row."""
        worker = self._any_worker()
        for _ in range(self.random.randint(1, 5)):
            if worker.process.poll() is None:
                worker.send(number)
            time.sleep(self.random.uniform(0, 0.05))  # the rhythm of the storm

    def _kill_tree(self, program: Program) -> None:
        pids = [program.pid, *children_of(program.pid)]
        for pid in pids:
            self._kill(pid)
        program.kill()

    def _pause(self, pid: int) -> None:
        def go_on() -> None:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return
        timer = threading.Timer(self.stop, go_on)
        timer.daemon = True
        timer.start()
        self._conts.append(timer)

    def _replace_what_ended(self) -> None:
        for programs, start in (
            (self.workers, self.start_worker),
            (self.senders, self.start_sender),
        ):
            for ended in [each for each in programs if each.process.poll() is not None]:
                programs.remove(ended)
                ended.kill()  # closes its stream
                start()

    def audit(self) -> Ends:
        with self.project.program("audit.py", *map(str, self.books)) as program:
            assert program.wait(600) == 0, program.output
        ends: Ends = json.loads(program.output.splitlines()[-1])
        return ends

    def runs_of_once(self) -> dict[str, list[str]]:
        """Return where and when each at-most-once task has begun, by id."""
        path, runs = self.project.folder / "runs", defaultdict(list)
        for line in path.read_text().splitlines() if path.exists() else ():
            id, where = line.split(maxsplit=1)
            runs[id].append(where)
        return runs


class RedisStormOfAll(StormOfAll):
    """The same with a server that is killed, and connections that are cut."""

    strikes: ClassVar[list[str]] = [
        *StormOfAll.strikes,
        *["cut_connections"] * 4,
        *["kill_server"] * 2,
    ]

    def __init__(self, folder: Path, seed: int, stop: float, server: RedisServer) -> None:
        self.server, self.proxy = server, Proxy(server.port)
        url = f"redis://127.0.0.1:{self.proxy.port}/0"
        super().__init__(folder, seed, stop, self.tasks.replace(FILE, url))

    def cut_connections(self) -> None:
        self.proxy.reset()

    def kill_server(self) -> None:
        self.server.kill()
        self.server.start()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Yield a server that keeps all that it has acknowledged."""
    (tmp_path / "redis").mkdir()
    with running_server(
        tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always"
    ) as server:
        yield server


def survive(storm: StormOfAll, seconds: float) -> None:
    storm.rage(seconds)
    ends = storm.aftermath()

    assert not storm.strange(ends), (ends, storm.killed)
    twice = {id: runs for id, runs in storm.runs_of_once().items() if len(runs) > 1}
    assert not twice, f"may run only once, and began more often: {twice}"
    assert not orphans(storm), "processes are left"
    if seconds > 60:
        assert ends.keys() >= ENDS.keys() - {"poison", "left"}
        assert storm.killed.keys() == set(storm.strikes)
    total = sum(sum(each.values()) for each in ends.values())
    print(f"{total} acknowledged in {seconds:g} s; strikes: {dict(storm.killed)}; ends: {ends}")


def orphans(storm: StormOfAll) -> list[int]:
    """Processes of the project that outlive all its programs."""

    def of_project() -> list[int]:
        found = []
        for link in Path("/proc").glob("[0-9]*/cwd"):
            try:
                if link.readlink() == storm.project.folder:
                    found.append(int(link.parent.name))
            except OSError:
                continue
        return found

    try:
        wait_for(lambda: not of_project(), "their end", 20)
    except AssertionError:
        return of_project()
    return []


def test_all_kinds_survive_all_strikes_for_a_moment(tmp_path: Path) -> None:
    survive(StormOfAll(tmp_path, seed=1, stop=1), 6)


@needs_redis
def test_all_kinds_survive_all_strikes_for_a_moment_on_redis(
    tmp_path: Path, server: RedisServer
) -> None:
    survive(RedisStormOfAll(tmp_path, 1, 1, server), 6)


@pytest.mark.soak
def test_all_kinds_survive_all_strikes_for_ten_minutes(tmp_path: Path) -> None:
    survive(StormOfAll(tmp_path, seed=2, stop=20), 600)


@pytest.mark.soak
@needs_redis
def test_all_kinds_survive_all_strikes_for_ten_minutes_on_redis(
    tmp_path: Path, server: RedisServer
) -> None:
    survive(RedisStormOfAll(tmp_path, 2, 20, server), 600)
