"""A storm: workers, children and senders are killed at random, and then everything is counted."""

import json
import os
import random
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.project import KILL, Program, Project, children_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TASKS = """
import time
from liteq import LiteQ

app = LiteQ("project", broker="sqlite:///project.db", task_max_lost=10_000)

@app.task
def add(x, y):
    return x + y

@app.task
def slow(x, y):
    time.sleep(0.02)
    return x + y
"""

# Writes the id of each task down once it is acknowledged, and never before.
SENDER = """
import itertools, json, sys
from project import add, slow
with open(sys.argv[1], "a", buffering=1) as book:
    for n in itertools.count():
        result = (slow if n % 50 == 0 else add).delay(n, 1)
        book.write(json.dumps([result.id, n + 1]) + "\\n")
"""

# Reads everything back: how each acknowledged task ended.
AUDIT = """
import collections, json, sys
from project import app
sent = [json.loads(line) for path in sys.argv[1:] for line in open(path) if line.endswith("\\n")]
ends = collections.Counter()
for start in range(0, len(sent), 500):
    part = sent[start:start + 500]
    for (id, expected), record in zip(part, app.broker.fetch([id for id, _ in part])):
        if record is None:
            ends["lost"] += 1
        elif record.phase.name != "SUCCEEDED":
            ends[record.phase.name] += 1
        else:
            ends["right" if app.backend.value(record) == expected else "wrong"] += 1
print(json.dumps(ends))
"""


class Storm:
    """A project with workers and senders, and what kills them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.project = Project(folder, TASKS)
        self.project.write("sender.py", SENDER)
        self.project.write("audit.py", AUDIT)
        self.random = random.Random(seed)
        self.workers: list[Program] = []
        self.senders: list[Program] = []
        self.books: list[Path] = []
        self.killed: dict[str, int] = {"worker": 0, "child": 0, "sender": 0}

    def start_worker(self) -> None:
        argv = ("-m", "liteq", "worker", "-A", "project", "-c", "2", "-l", "critical")
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
        for _ in range(2):
            self.start_worker()
            self.start_sender()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.random.uniform(0.05, 0.4))  # the rhythm of the storm
            self.strike()
        for program in (*self.senders, *self.workers):
            program.kill()

    def aftermath(self, deadline: float) -> dict[str, int]:
        """How all that was acknowledged has ended, once one last worker has had its time."""
        with self.project.worker("-l", "warning"):
            end = time.monotonic() + deadline
            while (ends := self.audit()).keys() != {"right"} and time.monotonic() < end:
                pass
        return ends

    def audit(self) -> dict[str, int]:
        out = self.project.run("audit.py", *map(str, self.books))
        ends: dict[str, int] = json.loads(out.splitlines()[-1])
        return ends


def survive(folder: Path, seconds: float, seed: int) -> None:
    storm = Storm(folder, seed)
    storm.rage(seconds)
    ends = storm.aftermath(deadline=max(30.0, seconds))

    assert ends.keys() == {"right"}, (ends, storm.killed)
    assert ends["right"] > 100
    print(f"{ends['right']} tasks acknowledged and right; killed: {storm.killed}")


def test_all_that_was_acknowledged_is_run_through_a_short_storm(tmp_path: Path) -> None:
    survive(tmp_path, 5, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_all_that_was_acknowledged_is_run_through_a_long_storm(tmp_path: Path, seed: int) -> None:
    survive(tmp_path, 60, seed)
