"""Limits under random kills, on both stores: what ran is audited from the tasks' own log.

No more run at once than may, no more start in any window than may, and none is stuck afterwards.
"""

import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.project import wait_for
from tests.faults.test_redis_storm import FILE
from tests.faults.test_storm import Storm
from tests.servers import RedisServer, needs_redis, running_server

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.timeout(300),
]

RATE, BURST = 10.0, 3  # a second
# Seconds by which a task may begin later than it was claimed: the child process has to read it.
DELAY = 0.5
RUNNING = {"few:a": 2, "few:b": 2, "all": 3}
KEYS = (*RUNNING, "rate")

TASKS = """
import os, random, time
from liteq import Limit, LiteQ, Snooze, chain, group

app = LiteQ("project", broker="sqlite:///project.db", task_max_lost=1000)
log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def note(run, what, keys):
    os.write(log, f"{run} {what} {time.monotonic()} {keys}\\n".encode())

def work(keys, seconds):
    run = f"{os.getpid()}.{time.monotonic_ns()}"
    note(run, "begin", keys)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.002)
        note(run, "alive", keys)  # one that is killed writes nothing more
    note(run, "end", keys)

@app.task(limits=[Limit("few:{key}", running=2)])
def few(key):
    work(f"few:{key}", random.uniform(0, 0.05))

@app.task(limits=[Limit("few:{key}", running=2), Limit("all", running=3)])
def both(key):
    work(f"few:{key},all", random.uniform(0, 0.05))

@app.task(limits=[Limit("all", running=3), Limit("few:{key}", running=2)])
def htob(key):
    work(f"few:{key},all", random.uniform(0, 0.05))

@app.task(limits=[Limit("rate", rate="10/s", burst=3)])
def rated():
    work("rate", 0)

@app.task(bind=True, max_retries=2, limits=[Limit("few:{key}", running=2)])
def stubborn(self, key):
    work(f"few:{key}", 0.01)
    if self.request.retries < 2:
        raise self.retry(countdown=random.choice([0, 0.1]))

@app.task(bind=True, limits=[Limit("all", running=3)])
def sleepy(self):
    work("all", 0.01)
    self.sleep("a while", seconds=0.1)

@app.task
def free():
    pass
"""

SENDER = """
import itertools, random, sys, time
from project import *

def send(n):
    key = random.choice("ab")
    result = random.choice([
        lambda: few.delay(key),
        lambda: both.delay(key),
        lambda: htob.delay(key=key),
        lambda: rated.delay(),
        lambda: stubborn.delay(key),
        lambda: sleepy.delay(),
        lambda: free.delay(),
        lambda: few.apply_async((key,), countdown=0.1),
        lambda: few.apply_async((key,), priority=5, expires=2),
        lambda: app.send_task(few.name, (key,)),
        lambda: chain(few.si(key), both.si(key)).delay(),
        lambda: group(few.s(key) for _ in range(3)).delay(),
    ])()
    if n % 17 == 0:
        result.revoke(terminate=n % 2 == 0)

with open(sys.argv[1], "a", buffering=1) as book:
    for n in itertools.count(1):
        while sum(c.tasks for c in app.broker.counts() if not c.phase.final) > 150:
            time.sleep(0.02)
        send(n)
        book.write("sent\\n")
"""

OPEN = """
from project import app
print(sum(count.tasks for count in app.broker.counts() if not count.phase.final))
"""
LEFT = """
from project import app
print([(each.key, each.passed, each.waiting) for each in app.limits.list()])
"""
EACH_KEY = """
from project import *
for send in (lambda: few.delay("a"), lambda: few.delay("b"), sleepy.delay, rated.delay):
    send().get(timeout=25)
print("ran")
"""


class LimitsStorm(Storm):
    """Four workers whose tasks have limits."""

    tasks, sender, auditor = TASKS, SENDER, ""

    def strike(self) -> None:
        if self.random.random() < 0.1:
            self.senders[0].kill()
            self.senders.clear()
            self.start_sender()
        super().strike()

    def _rage(self, seconds: float) -> None:
        for _ in range(4):
            self.start_worker()
        self.start_sender()
        wait_for(lambda: self.acknowledged() > 20, "the first tasks", 60)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.random.uniform(0.1, 0.6))  # the rhythm of the storm
            self.strike()

    def open(self) -> int:
        """How many tasks have not ended."""
        return int(self.project.python(OPEN))


class RedisLimitsStorm(LimitsStorm):
    """The same on a server, which is killed as well."""

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
        if self.senders[0].process.poll() is not None:
            self.senders[0].kill()
            self.senders.clear()
            self.start_sender()


class Run(NamedTuple):
    """A run, from when it began to the last moment at which it is known to have gone on."""

    begun: float
    last: float
    keys: list[str]


def runs_of(log: Path) -> list[Run]:
    found: dict[str, Run] = {}
    for line in log.read_text().splitlines():
        run, what, at, keys = line.split(" ")
        begun = float(at) if what == "begin" else found[run].begun
        found[run] = Run(begun, float(at), keys.split(","))
    return list(found.values())


def most_at_once(runs: list[Run]) -> int:
    steps = sorted([(r.begun, 1) for r in runs] + [(r.last, -1) for r in runs])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def most_above_rate(starts: list[float]) -> float:
    """How many more have started, in any window, than by the rate alone."""
    starts.sort()
    most = earliest = float("-inf")
    # (n - m + 1) - RATE * (t[n] - t[m]), at its largest over all m <= n
    for n, at in enumerate(starts):
        earliest = max(earliest, RATE * at - n)
        most = max(most, n + 1 - RATE * at + earliest)
    return most


def survive(storm: LimitsStorm, seconds: float) -> None:
    storm.rage(seconds)
    with storm.project.worker("-l", "warning"):
        left, since = storm.open(), time.monotonic()
        while left and time.monotonic() - since < 30:
            before, left = left, storm.open()
            since = since if left == before else time.monotonic()
        assert not left, f"{left} tasks are stuck: {storm.project.python(LEFT)}"
        assert storm.project.python(EACH_KEY).strip() == "ran"
    left_keys = storm.project.python(LEFT)
    assert all(f"'{key}', 0, 0" in left_keys or f"'{key}'" not in left_keys for key in KEYS)

    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in runs_of(storm.project.folder / "log"):
        for key in run.keys:
            by_key[key].append(run)
    for key, allowed in RUNNING.items():
        assert most_at_once(by_key[key]) <= allowed, (key, storm.killed)
        if seconds > 30:  # for some time, the machine is not too busy for that
            assert most_at_once(by_key[key]) == allowed, "the limit was never reached"
    starts = [run.begun for run in by_key["rate"]]
    assert most_above_rate(starts) <= BURST + RATE * DELAY, storm.killed
    total = sum(map(len, by_key.values()))
    print(f"{total} runs, {len(starts)} of the rate; killed: {storm.killed}")


def test_the_audit_finds_what_it_looks_for() -> None:
    assert most_at_once([Run(0, 2, []), Run(1, 3, []), Run(2.5, 4, [])]) == 2
    assert most_above_rate([0.0, 0.0, 0.0]) == 3
    assert most_above_rate([n / RATE for n in range(50)]) == pytest.approx(1)
    assert most_above_rate([*(n / RATE for n in range(50)), 4.9, 4.9]) == pytest.approx(3)


def test_limits_hold_through_a_short_storm(tmp_path: Path) -> None:
    survive(LimitsStorm(tmp_path, seed=1), 8)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_limits_hold_through_a_long_storm(tmp_path: Path, seed: int) -> None:
    survive(LimitsStorm(tmp_path, seed), 60)


@needs_redis
def test_limits_hold_through_a_short_storm_on_redis(tmp_path: Path, server: RedisServer) -> None:
    survive(RedisLimitsStorm(tmp_path, 1, server), 8)


@needs_redis
@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_limits_hold_through_a_long_storm_on_redis(tmp_path: Path, seed: int) -> None:
    with running_server(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        survive(RedisLimitsStorm(tmp_path, seed, server), 60)
