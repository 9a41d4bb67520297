"""Tasks with limits, run in simulated time: no limit is ever broken, and no task waits for ever."""

import json
import random
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteq.brokers.admission import PATIENCE
from liteq.brokers.base import Claim
from liteq.brokers.memory import MemoryBroker
from liteq.model.message import Delivery, Message
from liteq.model.outcome import Settlement
from liteq.states import Phase
from liteq.support.clock import ManualClock

RUNNING = {"a": 1, "b": 2, "c": 3}
RATES = {"r": (0.5, 1), "s": (2.0, 3)}

uses = st.lists(
    st.one_of(
        st.builds(
            lambda key, cost: {
                "key": key,
                "running": RUNNING[key],
                "cost": min(cost, RUNNING[key]),
            },
            st.sampled_from(sorted(RUNNING)),
            st.integers(1, 3),
        ),
        st.builds(
            lambda key: {"key": key, "rate": RATES[key][0], "burst": RATES[key][1]},
            st.sampled_from(sorted(RATES)),
        ),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda use: use["key"],
)
tasks = st.lists(
    st.tuples(uses, st.integers(-1, 1), st.sampled_from([0.0, 0.3, 1.0, 7.0])),
    min_size=1,
    max_size=15,
)


class World:
    """A store in which tasks run for as long as they are told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = MemoryBroker(self.clock)
        self.worker = self.broker.register("worker", "{}")
        self.seconds: dict[str, float] = {}
        self.uses: dict[str, list[dict[str, Any]]] = {}
        self.running: list[tuple[float, Delivery]] = []  # until when
        self.starts: dict[str, list[float]] = defaultdict(list)
        self.started: list[str] = []

    def send(
        self, id: str, uses: list[dict[str, Any]], priority: int = 0, seconds: float = 1.0
    ) -> None:
        options = json.dumps({"limits": uses})
        self.seconds[id], self.uses[id] = seconds, uses
        message = Message(id, "t", b"", "json", "q", priority=priority, options=options)
        self.broker.enqueue([message])

    def turn(self, slots: int) -> None:
        """Claim what fits, and check that it may run."""
        for each in self.broker.claim(Claim(self.worker, ("q",), slots - len(self.running))):
            now = self.clock()
            self.running.append((now + self.seconds[each.id], each))
            self.started.append(each.id)
            for use in self.uses[each.id]:
                if "rate" in use:
                    self.starts[use["key"]].append(now)
        for key, most in RUNNING.items():
            taken = [
                use.get("cost", 1)
                for _, each in self.running
                for use in self.uses[each.id]
                if use["key"] == key
            ]
            assert sum(taken) <= most, key

    def pass_time(self) -> None:
        """Let the time pass until something is due, and end what has run for long enough."""
        due = [until for until, _ in self.running]
        look = self.broker.promote()
        self.clock.now = max(min([*due, self.clock() + 1 if look is None else look]), self.clock())
        ended = [each for until, each in self.running if until <= self.clock()]
        self.running = [each for each in self.running if each[0] > self.clock()]
        now = self.clock()
        settlements = [
            Settlement(each.receipt, Phase.SUCCEEDED, now, tied=each.tied) for each in ended
        ]
        self.broker.settle(settlements)
        self.broker.promote()

    def check_rates(self) -> None:
        for key, starts in self.starts.items():
            rate, burst = RATES[key]
            for n, last in enumerate(starts):
                for m, first in enumerate(starts[: n + 1]):
                    assert n - m + 1 <= burst + rate * (last - first) + 1e-6, (key, starts)


@given(tasks=tasks, slots=st.integers(1, 5), pauses=st.lists(st.integers(0, 30), max_size=5))
def test_no_limit_is_broken_and_all_tasks_end(
    tasks: list[Any], slots: int, pauses: list[int]
) -> None:
    world = World()
    for n, (uses, priority, seconds) in enumerate(tasks):
        world.send(str(n), uses, priority, seconds)
    for seconds in pauses:  # no worker claims, and the lines are looked at
        world.clock.advance(seconds)
        world.broker.promote()
    for _ in range(50 * len(tasks)):
        world.turn(slots)
        world.pass_time()
        if len(world.started) == len(tasks) and not world.running:
            break
    assert sorted(world.started) == sorted(map(str, range(len(tasks))))
    world.check_rates()
    world.clock.advance(1000)
    world.broker.sweep(100)
    assert world.broker.limits() == []


@pytest.mark.parametrize("seed", range(8))
def test_a_task_of_three_busy_limits_is_not_denied_for_ever(seed: int) -> None:
    """Each of them always has others that wait, and their runs never end at one moment."""
    chance, world = random.Random(seed), World()
    limits = [{"key": key, "running": 1} for key in "xyz"]
    for n in range(400):
        world.send(f"first {n}", [limits[n % 3]], seconds=chance.uniform(1, 5))
        if n == 5:
            chosen = list(limits)
            chance.shuffle(chosen)
            world.send("all", chosen)
    while "all" not in world.started:
        world.turn(100)
        world.pass_time()
    assert world.clock() - 1e9 <= PATIENCE + 30  # some runs of each


def test_a_task_of_a_great_cost_is_not_overtaken_for_ever() -> None:
    world = World()
    for n in range(50):
        world.send(f"small {n}", [{"key": "c", "running": 3}], seconds=1 + n % 3)
        if n == 5:
            world.send("great", [{"key": "c", "running": 3, "cost": 3}])
    while "great" not in world.started:
        world.turn(100)
        world.pass_time()
    assert len(world.started) == 7


def test_many_tasks_of_one_account_leave_the_service_to_others() -> None:
    """They wait in the line of their account, and keep no place of the service."""
    world = World()
    service = {"key": "service", "running": 3}
    for n in range(300):
        world.send(f"one {n}", [service, {"key": "acct:1", "running": 1}], seconds=1000)
    world.send("other", [service, {"key": "acct:2", "running": 1}])
    for _ in range(5):  # a line is gone along in parts
        world.broker.promote()
    world.turn(10)

    assert world.started == ["one 0", "other"]
