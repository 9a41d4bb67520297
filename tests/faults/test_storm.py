"""A storm: workers, children and senders are killed at random, and then everything is counted."""

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest

from tests.e2e.project import DEADLINE, KILL, Program, Project, children_of, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TASKS = """
import os, signal, time
from liteq import LiteQ

# More deaths than chance brings upon one task, and few enough for poison to be found out.
app = LiteQ("project", broker="sqlite:///project.db", task_max_lost=8)

@app.task
def add(x, y):
    return x + y

@app.task
def slow(x, y):
    time.sleep(0.02)
    return x + y

@app.task(bind=True)
def stubborn(self, x, y):
    if self.request.retries < 2:
        self.retry(countdown=0.01 * self.request.retries)
    return x + y

@app.task
def unwanted(x, y):
    return x + y

@app.task(time_limit=2)
def long(x, y):
    time.sleep(1000)

@app.task(time_limit=0.1)
def overdue(x, y):
    time.sleep(1000)

@app.task
def poison(x, y):
    os.kill(os.getpid(), signal.SIGKILL)
"""

# How tasks of each kind may end. One that is revoked may just have run.
ENDS = {
    "add": {"right"},
    "slow": {"right"},
    "stubborn": {"right"},
    "unwanted": {"right", "CANCELLED"},
    "long": {"CANCELLED", "FAILED"},
    "overdue": {"FAILED"},
    "poison": {"DEAD"},
}

# Writes down each task once it is acknowledged, and never before.
SENDER = """
import itertools, json, sys
from project import *

# Children that poison kills are replaced with patience, so only the first senders send some.
EVERY = [(499, overdue), (307, long), (101, stubborn), (53, unwanted), (47, slow)]
if sys.argv[1].endswith(("book0", "book1")):
    EVERY.insert(0, (997, poison))

with open(sys.argv[1], "a", buffering=1) as book:
    for n in itertools.count(1):
        task = next((task for every, task in EVERY if n % every == 40), add)
        result = task.delay(n, 1)
        book.write(json.dumps([result.id, task.__name__, n + 1]) + "\\n")
        if task is unwanted or task is long:
            result.revoke(terminate=task is long)
"""

# Reads everything back: how the acknowledged tasks of each kind ended.
AUDIT = """
import collections, json, sys
from project import app
sent = [json.loads(line) for path in sys.argv[1:] for line in open(path) if line.endswith("\\n")]

def end(kind, expected, record):
    if record is None:
        return "lost"
    if record.phase.name != "SUCCEEDED":
        return record.phase.name
    if kind == "stubborn" and record.message.retries != 2:
        return f"right after {record.message.retries} retries"
    return "right" if app.backend.value(record) == expected else "wrong"

ends = collections.defaultdict(collections.Counter)
for start in range(0, len(sent), 500):
    part = sent[start:start + 500]
    for (_, kind, expected), record in zip(part, app.broker.fetch([id for id, _, _ in part])):
        ends[kind][end(kind, expected, record)] += 1
print(json.dumps(ends))
"""

Ends = dict[str, dict[str, int]]


class Storm:
    """A project with workers and senders, and what kills them."""

    tasks, sender, auditor = TASKS, SENDER, AUDIT
    allowed: ClassVar[dict[str, set[str]]] = ENDS
    options: ClassVar[tuple[str, ...]] = ("-c", "2")  # of workers

    def __init__(self, folder: Path, seed: int, tasks: str | None = None) -> None:
        self.project = Project(folder, tasks or self.tasks)
        self.project.write("sender.py", self.sender)
        self.project.write("audit.py", self.auditor)
        self.random = random.Random(seed)
        self.workers: list[Program] = []
        self.senders: list[Program] = []
        self.books: list[Path] = []
        self.killed: dict[str, int] = {"worker": 0, "child": 0, "sender": 0}

    def start_worker(self) -> None:
        argv = ("-m", "liteq", "worker", "-A", "project", *self.options, "-l", "critical")
        self.workers.append(self.project.start(*argv))

    def start_sender(self) -> None:
        book = self.project.folder / f"book{len(self.books)}"
        book.touch()
        self.books.append(book)
        self.senders.append(self.project.start("sender.py", str(book)))

    def strike(self) -> None:
        kind = self.random.choice(["worker", "child", "child", "sender"])
        if kind == "child":
            offspring = [pid for worker in self.workers for pid in children_of(worker.pid)]
            if offspring:
                self._kill(self.random.choice(offspring))
        else:
            programs = self.workers if kind == "worker" else self.senders
            victim = self.random.choice(programs)
            victim.kill()
            programs.remove(victim)
            self.start_worker() if kind == "worker" else self.start_sender()
        self.killed[kind] += 1

    def _kill(self, pid: int) -> None:
        try:
            os.kill(pid, KILL)
        except ProcessLookupError:
            pass

    def rage(self, seconds: float) -> None:
        try:
            self._rage(seconds)
        finally:
            for program in (*self.senders, *self.workers):
                program.kill()

    def _rage(self, seconds: float) -> None:
        for _ in range(2):
            self.start_worker()
            self.start_sender()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.random.uniform(0.05, 0.4))  # the rhythm of the storm
            self.strike()
        if self.acknowledged() < 150:  # on a busy machine senders hardly begin between two strikes
            self.start_sender()
            wait_for(lambda: self.acknowledged() >= 150, "enough tasks")

    def acknowledged(self) -> int:
        """How many tasks the senders have written down."""
        return sum(book.read_bytes().count(b"\n") for book in self.books)

    def aftermath(self) -> Ends:
        """How all that was acknowledged has ended, once one last worker has had its time."""
        with self.project.worker(*self.options, "-l", "warning"):
            ends, since = self.audit(), time.monotonic()
            while self.strange(ends) and time.monotonic() - since < DEADLINE:
                before, ends = ends, self.audit()
                since = since if ends == before else time.monotonic()  # something goes on
        return ends

    def audit(self) -> Ends:
        out = self.project.run("audit.py", *map(str, self.books))
        ends: Ends = json.loads(out.splitlines()[-1])
        return ends

    def strange(self, ends: Ends) -> Ends:
        """Those ends that should not be."""
        found = {
            kind: {end: n for end, n in ends[kind].items() if end not in self.allowed[kind]}
            for kind in ends
        }
        return {kind: those for kind, those in found.items() if those}


def survive(storm: Storm, seconds: float) -> None:
    storm.rage(seconds)
    ends = storm.aftermath()

    assert not storm.strange(ends), (ends, storm.killed)
    assert ends["add"]["right"] > 100
    if seconds > 30:  # senders must have lived for a while
        assert ends.keys() >= ENDS.keys() - {"poison"}
    total = sum(sum(each.values()) for each in ends.values())
    print(f"{total} tasks acknowledged, all ended as they should: {ends}; killed: {storm.killed}")


def test_all_that_was_acknowledged_ends_as_it_should_through_a_short_storm(tmp_path: Path) -> None:
    survive(Storm(tmp_path, seed=1), 5)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_all_that_was_acknowledged_ends_as_it_should_through_a_long_storm(
    tmp_path: Path, seed: int
) -> None:
    survive(Storm(tmp_path, seed), 60)
