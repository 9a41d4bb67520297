"""The watch over running tasks, with a pool whose slots do as they are told."""

import time
from collections.abc import Sequence
from selectors import BaseSelector

import pytest

from liteq.brokers.base import ToTerminate
from liteq.brokers.memory import MemoryBroker
from liteq.model.message import Delivery, Message, Receipt
from liteq.model.outcome import Kind, Outcome
from liteq.pools import Pool, PoolEvents, RunnerSpec, Running, Slot
from liteq.pools.base import Kill
from liteq.worker.batching import Batching
from liteq.worker.timelimits import TimeLimits
from liteq.worker.watchdog import Watchdog


class Hand(Pool):
    """A pool in which what is first in a slot runs for as many seconds as `ran` says."""

    kills = True

    def __init__(self, size: int) -> None:
        super().__init__(size, RunnerSpec("", "", {}, lambda _: lambda _: Outcome(Kind.FAILED)))
        self.ran = 0.0
        self.looked = 0
        self.kills_made: list[Kill] = []
        self.recalled: list[Slot] = []

    def start(self, selector: BaseSelector) -> None: ...

    def submit(self, slot: Slot, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            slot.holding[delivery.token] = delivery

    def collect(self) -> PoolEvents:
        return PoolEvents()

    def running(self, slot: Slot) -> Running | None:
        self.looked += 1
        return Running(next(iter(slot.holding.values())), self.ran) if slot.holding else None

    def kill(self, slot: Slot, kill: Kill) -> None:
        slot.ending = True
        self.kills_made.append(kill)

    def recall(self, slot: Slot) -> None:
        self.recalled.append(slot)

    def close(self) -> None: ...


class Store(MemoryBroker):
    """A store that has tasks to terminate."""

    revoked: Sequence[Delivery] = ()

    def to_terminate(self, worker: int) -> list[ToTerminate]:
        return [ToTerminate(each.receipt, each.id, taken=False) for each in self.revoked]


def watching(size: int, **limits: float) -> tuple[Hand, Watchdog]:
    pool = Hand(size)
    return pool, Watchdog(pool, TimeLimits("time_limit", limits), Batching())


def give(pool: Hand, watchdog: Watchdog, slot: int, *names: str) -> list[Delivery]:
    made = [
        Delivery(Message(name, name, b"", "json", "celery"), Receipt(slot, 10 * slot + n))
        for n, name in enumerate(names, 1)
    ]
    pool.submit(pool.slots[slot], made)
    watchdog.watch(pool.slots[slot])
    return made


def check(watchdog: Watchdog, *, stopping: bool = False) -> None:
    """Check once what is due within 50 ms."""
    wait = watchdog.next_check()
    if wait is not None and wait < 0.05:
        time.sleep(wait)
    watchdog.check(stopping=stopping)


def test_slots_whose_tasks_may_take_as_long_as_they_like_are_looked_at_once() -> None:
    pool, watchdog = watching(1000)
    for n in range(1000):
        give(pool, watchdog, n, "waits")
    while watchdog.next_check() is not None:
        check(watchdog)
    looked = pool.looked

    for _ in range(10):
        watchdog.check(stopping=False)
    give(pool, watchdog, 5, "another")
    check(watchdog)
    assert pool.looked <= looked + 3


def test_a_limit_is_enforced_when_it_is_due_and_only_once() -> None:
    pool, watchdog = watching(2, limited=10.0)
    (limited,) = give(pool, watchdog, 1, "limited")
    pool.ran = 9.99
    check(watchdog)
    assert pool.kills_made == []
    wait = watchdog.next_check()
    assert wait is not None
    assert wait < 0.02

    pool.ran = 10.0
    check(watchdog)
    assert [(each.delivery, each.kind) for each in pool.kills_made] == [(limited, Kind.OVERDUE)]
    assert watchdog.next_check() is None  # the pool sees to it
    check(watchdog)
    assert len(pool.kills_made) == 1


def test_what_waits_behind_one_that_is_told_to_end_is_recalled() -> None:
    pool, watchdog = watching(1, limited=1.0)
    give(pool, watchdog, 0, "limited", "behind")
    pool.ran = 1.0
    check(watchdog)

    assert len(pool.kills_made) == 1
    assert pool.recalled == [pool.slots[0]]


def test_a_revoke_finds_a_task_that_nobody_looked_at_any_more() -> None:
    pool, watchdog = watching(1000)
    given = [give(pool, watchdog, n, "waits") for n in range(1000)]
    while watchdog.next_check() is not None:
        check(watchdog)
    store = Store()
    store.revoked = given[700]
    watchdog.load_to_terminate(store, 1)
    check(watchdog)

    assert [each.delivery for each in pool.kills_made] == given[700]
    assert pool.kills_made[0].kind is Kind.TERMINATED
    store.close()


def test_a_new_limit_finds_them_too() -> None:
    pool, watchdog = watching(3)
    given = give(pool, watchdog, 2, "waits")
    check(watchdog)
    pool.ran = 5.0
    watchdog.set_limits(TimeLimits("time_limit", {"waits": 1.0}))
    check(watchdog)

    assert [each.delivery for each in pool.kills_made] == given


@pytest.mark.parametrize(("stopping", "recalled"), [(False, 0), (True, 1)])
def test_a_stop_recalls_at_once_what_waits(stopping: bool, recalled: int) -> None:
    pool, watchdog = watching(2)
    give(pool, watchdog, 0, "short", "behind")
    watchdog.check(stopping=stopping)

    assert len(pool.recalled) == recalled
