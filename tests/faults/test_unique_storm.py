"""Eight processes send tasks of a few keys, while workers and senders are killed at random.

Then it is counted: every key has run as its policy says, and none is left taken.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.project import DEADLINE, wait_for
from tests.faults.test_storm import Storm
from tests.servers import RedisServer, needs_redis

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

FILE = "sqlite:///project.db"
TASKS = """
import os, time
from liteq import LiteQ, Unique

# Many deaths may come upon one task, and it is to be run all the same.
app = LiteQ("project", broker="sqlite:///project.db", task_max_lost=1000)

def write(*words):
    with open("log", "ab", buffering=0) as log:
        log.write(" ".join(map(str, words)).encode() + b"\\n")

def task(name, **rule):
    @app.task(name=name, bind=True, unique=Unique("{key}", **rule))
    def run(self, key, n):
        write("begin", name, key, self.request.id, n, time.time())
        time.sleep(0.01)
        write("end", name, key, self.request.id, n, time.time())
        return n
    return run

kinds = {
    "skip": task("skip"),
    "raise": task("raise", then="raise"),
    "coalesce": task("coalesce", then="coalesce"),
    "replace": task("replace", until="started", then="replace"),
    "started": task("started", until="started"),
}
"""

# Writes down each call once it is answered, and never before.
SENDER = """
import itertools, json, random, sys, time
from liteq import group
from liteq.exceptions import DuplicateTask
from project import *

own = random.Random(sys.argv[1])
with open(sys.argv[1], "a", buffering=1) as book:
    for n in itertools.count(1):
        kind, key, before = own.choice(list(kinds)), own.choice("abc"), time.time()
        try:
            if kind == "skip" and n % 10 == 0:
                calls = [kinds[kind].s(key, n), kinds[kind].s(own.choice("abc"), n)]
                results = group(calls).delay().results
            else:
                results = [kinds[kind].delay(key, n)]
        except DuplicateTask as exc:
            book.write(json.dumps([kind, key, n, exc.task_id, before]) + "\\n")
        else:
            for result in results:
                book.write(json.dumps([kind, key, n, result.id, before]) + "\\n")
        time.sleep(own.random() * 0.01)
"""

# Sends each kind and key once more, when nothing is left to run, and reads all results.
AUDIT = """
import json, sys
from project import app, kinds
probes = [task.delay(key, 0) for task in kinds.values() for key in "abc"]
print(json.dumps([[each.duplicate, each.get(timeout=20)] for each in probes]))
ids = {json.loads(line)[3] for path in sys.argv[1:] for line in open(path) if line.endswith("\\n")}
ends = {}
ids = sorted(ids)
for start in range(0, len(ids), 500):
    part = ids[start:start + 500]
    for id, record in zip(part, app.broker.fetch(part)):
        ends[id] = record and record.phase.name
print(json.dumps(ends))
"""

COUNT = """
from project import app
print(sum(each.tasks for each in app.broker.counts() if not each.phase.final))
"""


class Call(NamedTuple):
    """A call that was answered."""

    kind: str
    key: str
    n: int
    id: str
    before: float  # when it was made, at the earliest


class Run(NamedTuple):
    """A line that a task has written."""

    what: str  # begin, end
    kind: str
    key: str
    id: str
    n: int
    at: float


class UniqueStorm(Storm):
    """A storm over tasks with keys."""

    tasks, sender, auditor = TASKS, SENDER, AUDIT
    most_senders = 8

    def start_sender(self) -> None:
        while len(self.senders) < self.most_senders:
            super().start_sender()

    def calls(self) -> Iterator[Call]:
        """Yield the calls that were answered."""
        for book in self.books:
            for line in book.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    yield Call(*json.loads(line))

    def runs(self) -> list[Run]:
        """Return what the tasks have written, in the order of time."""
        found = []
        for line in (self.project.folder / "log").read_text().splitlines():
            what, kind, key, id, n, at = line.split()
            found.append(Run(what, kind, key, id, int(n), float(at)))
        return found

    def unfinished(self) -> int:
        """Return how many tasks have not ended."""
        self.project.write("count.py", COUNT)
        return int(self.project.run("count.py").splitlines()[-1])

    def audited(self) -> tuple[list[Any], dict[str, str]]:
        """Return the probes of all keys, once nothing runs, and how all tasks have ended."""
        with self.project.worker("-l", "warning"):
            wait_for(lambda: self.unfinished() == 0, "the end of all tasks", 4 * DEADLINE)
            lines = self.project.run("audit.py", *map(str, self.books)).splitlines()
        return json.loads(lines[-2]), json.loads(lines[-1])


def survive(storm: UniqueStorm, seconds: float) -> None:
    storm.rage(seconds)
    probes, ends = storm.audited()
    calls, runs = list(storm.calls()), storm.runs()
    first = {run.id: run for run in reversed(runs) if run.what == "begin"}

    assert probes == [[False, 0]] * 15, f"a key is left taken; killed: {storm.killed}"
    assert set(ends.values()) == {"SUCCEEDED"}, storm.killed
    assert overlaps(runs) == []
    # Who got the arguments of a call, or may not have its key any more, had not started before it.
    late = [call for call in calls if call.kind in ("coalesce", "replace", "started")]
    wrong = [call for call in late if first[call.id].at < call.before]
    assert wrong == []
    asked = {(call.kind, call.key, call.n) for call in calls}
    unasked = [run for run in first.values() if run[1:3] + run[4:5] not in asked and run.n]
    assert len(unasked) <= storm.killed["sender"] + storm.killed.get("server", 0) * 8
    print(f"{len(calls)} calls were answered by {len(ends)} tasks; killed: {storm.killed}")
    assert len(calls) > 100
    if seconds > 30:  # workers must have lived for a while
        assert len(ends) > 100


def overlaps(runs: list[Run]) -> list[tuple[Run, Run]]:
    """Return the runs of one key, two by two, of which one began before the other one had ended.

    A run that was killed has no end: then the same task has run again.
    """
    found = []
    by_key = defaultdict(list)
    for run in runs:
        if run.kind in ("skip", "raise", "coalesce"):
            by_key[run.kind, run.key].append(run)
    for some in by_key.values():
        ended: set[str] = set()
        begun: list[Run] = []
        for run in some:
            if run.what == "end":
                ended.add(run.id)
            else:
                begun.append(run)
                others = begun[-2:]
                found += [
                    (one, other)
                    for one, other in pairwise(others)
                    if one.id != other.id and one.id not in ended
                ]
    return found


class RedisUniqueStorm(UniqueStorm):
    """The same on a server that is killed and restarted, too."""

    def __init__(self, folder: Path, seed: int, server: RedisServer) -> None:
        super().__init__(folder, seed, TASKS.replace(FILE, server.url))
        self.server = server
        self.killed["server"] = 0

    def strike(self) -> None:
        if self.random.random() > 0.15:
            super().strike()
            return
        self.server.kill()
        self.server.start()
        self.killed["server"] += 1
        for sender in [each for each in self.senders if each.process.poll() is not None]:
            self.senders.remove(sender)  # it got an error because the server was away, and exited
            sender.kill()
        self.start_sender()


def test_keys_run_as_they_say_through_a_short_storm(tmp_path: Path) -> None:
    survive(UniqueStorm(tmp_path, seed=1), 8)


@needs_redis
def test_keys_on_redis_run_as_they_say_through_a_short_storm(
    tmp_path: Path, server: RedisServer
) -> None:
    survive(RedisUniqueStorm(tmp_path, 1, server), 8)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_keys_run_as_they_say_through_a_long_storm(tmp_path: Path, seed: int) -> None:
    survive(UniqueStorm(tmp_path, seed), 60)


@needs_redis
@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_keys_on_redis_run_as_they_say_through_a_long_storm(
    tmp_path: Path, seed: int, server: RedisServer
) -> None:
    survive(RedisUniqueStorm(tmp_path, seed, server), 60)


def test_an_overlap_would_be_seen() -> None:
    now = time.time()
    one, other = (Run("begin", "skip", "a", id, 1, now) for id in ("1", "2"))
    end = one._replace(what="end")

    assert overlaps([one, other]) == [(one, other)]
    assert overlaps([one, one, end, other]) == []
    assert overlaps([one, end, other, other._replace(kind="raise")]) == []
