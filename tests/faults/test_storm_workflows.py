"""The same storm on chains, groups and chords: each step and each body has exactly one outcome."""

import sys
from pathlib import Path
from typing import ClassVar

import pytest

from tests.faults.test_storm import Storm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TASKS = """
from liteq import LiteQ, group

app = LiteQ("project", broker="sqlite:///project.db", task_max_lost=8)

@app.task
def add(x, y=0):
    return x + y

@app.task
def total(numbers):
    return sum(numbers)

@app.task
def fail(*args):
    raise ValueError(*args)

@app.task
def count(values):
    return [isinstance(value, Exception) for value in values]

@app.task(bind=True)
def swap(self, x):
    return self.replace(group(add.s(x, n) for n in range(3)) | total.s())

@app.task
def note(id):
    return id
"""

# Writes down each workflow once it is acknowledged: the id of its end, its kind, its value.
SENDER = """
import itertools, json, sys
from liteq import chain, chord, group
from project import *

def chained(n):
    return chain(add.s(n, 1), add.s(1), add.s(1)), n + 3

def broken(n):
    return chain(add.s(n), fail.s(), add.s(1), add.s(1)), None

def joined(n):
    return chord([add.s(n, k) for k in range(5)], total.s() | add.s(1)), 5 * n + 11

def spoilt(n):
    return chord([add.s(n), fail.s(), fail.s()], total.s()).on_error(note.s()), None

def forgiven(n):
    body = count.s().on_error(note.s())
    return chord([add.s(n), fail.s()], body, on_error="continue"), [False, True]

def nested(n):
    pair = group(add.s(n), add.s(n) | add.s(1))
    return pair | group(total.s(), total.s()) | total.s(), 4 * n + 2

def swapped(n):
    return chord([swap.s(n), add.s(n)], total.s()), 4 * n + 3

KINDS = [chained, joined, nested, broken, spoilt, forgiven, swapped]

with open(sys.argv[1], "a", buffering=1) as book:
    for n in itertools.count(1):
        make = KINDS[n % len(KINDS)]
        canvas, expected = make(n)
        result = canvas.apply_async()
        book.write(json.dumps([result.id, make.__name__, expected]) + "\\n")
"""

AUDIT = """
import collections, json, sys
from liteq.states import Phase
from project import app
sent = [json.loads(line) for path in sys.argv[1:] for line in open(path) if line.endswith("\\n")]

def end(kind, expected, record):
    if record is None:
        return "lost"
    errbacks = app.broker.fetch(app.broker.dependents(record.message.id))
    told = " ".join(each.phase.name for each in errbacks if each and each.on_failure)
    if record.phase is not Phase.SUCCEEDED:
        return f"{record.phase.name} {told}".strip()
    right = "right" if app.backend.value(record) == expected else "wrong"
    return f"{right} {told}".strip()

ends = collections.defaultdict(collections.Counter)
for start in range(0, len(sent), 500):
    part = sent[start:start + 500]
    for (_, kind, expected), record in zip(part, app.broker.fetch([id for id, _, _ in part])):
        ends[kind][end(kind, expected, record)] += 1
for count in app.broker.counts():
    if not count.phase.final:
        ends["left"][count.phase.name] += count.tasks
print(json.dumps(ends))
"""


class Workflows(Storm):
    """Chains and chords instead of single tasks."""

    tasks, sender, auditor = TASKS, SENDER, AUDIT
    allowed: ClassVar[dict[str, set[str]]] = {
        "chained": {"right"},
        "broken": {"SKIPPED"},
        "joined": {"right"},
        "spoilt": {"SKIPPED SUCCEEDED"},  # and its errback ran
        "forgiven": {"right"},
        "nested": {"right"},
        "swapped": {"right"},
        "left": set(),  # also of what was never acknowledged: all of it is there, or nothing
    }


def survive(folder: Path, seconds: float, seed: int) -> None:
    storm = Workflows(folder, seed)
    storm.rage(seconds)
    ends = storm.aftermath()

    assert not storm.strange(ends), (ends, storm.killed)
    assert ends.keys() == storm.allowed.keys() - {"left"}
    total = sum(sum(each.values()) for each in ends.values())
    print(f"{total} workflows acknowledged, all ended as they should; killed: {storm.killed}")


def test_every_workflow_ends_once_through_a_short_storm(tmp_path: Path) -> None:
    survive(tmp_path, 5, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_every_workflow_ends_once_through_a_long_storm(tmp_path: Path, seed: int) -> None:
    survive(tmp_path, 60, seed)
