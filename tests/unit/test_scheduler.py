"""The scheduler on a store, by a clock that is moved by hand."""

import logging
from collections.abc import Sequence

import pytest

from liteq.beat.firing import planned
from liteq.beat.scheduler import Scheduler
from liteq.brokers.memory import MemoryBroker
from liteq.model.entry import Entry, Fired, Firing
from liteq.model.message import Message
from liteq.schedules import crontab, schedule, to_text
from liteq.states import Phase
from liteq.testing import ManualClock

MESSAGE = Message("", "task", b"", "json", "celery")
NOON = 1_893_499_200.0  # 2030-01-01 12:00 UTC


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def broker(clock: ManualClock) -> MemoryBroker:
    return MemoryBroker(clock)


def declared(name: str = "report", every: float = 60.0, app: str | None = "shop") -> Entry:
    return Entry(name, to_text(schedule(every)), MESSAGE, app=app)


def scheduler_of(broker: MemoryBroker, *entries: Entry) -> Scheduler:
    return Scheduler(broker, "shop", entries)


def sent(broker: MemoryBroker) -> int:
    return len(broker.listing([Phase.READY], 10_000))


def test_a_turn_fires_due_entries_and_returns_when_the_next_is_due(
    broker: MemoryBroker, clock: ManualClock
) -> None:
    scheduler = scheduler_of(broker, declared(), declared("other", 90.0))

    assert scheduler.turn() == NOON + 60
    clock.advance(90)
    assert scheduler.turn() == NOON + 120
    assert sent(broker) == 2
    assert scheduler.turn() == NOON + 120
    assert sent(broker) == 2


def test_with_nothing_to_fire_a_turn_returns_none(broker: MemoryBroker) -> None:
    assert scheduler_of(broker).turn() is None


def test_of_many_schedulers_one_fires(broker: MemoryBroker, clock: ManualClock) -> None:
    schedulers = [scheduler_of(broker, declared()) for _ in range(5)]
    for _ in range(10):
        for each in schedulers:
            each.turn()
        clock.advance(60)

    assert sent(broker) == 9


def names(broker: MemoryBroker) -> list[str]:
    return [each.name for each in broker.schedules()]


def turns(clock: ManualClock, seconds: int, *schedulers: Scheduler) -> None:
    """Let processes with these schedulers run for so long."""
    for _ in range(seconds):
        for each in schedulers:
            each.turn()
        clock.advance(1)


def test_declared_entries_are_written_once_and_those_no_longer_declared_are_dropped(
    broker: MemoryBroker, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler_of(broker, declared("stays"), declared("goes")).turn()
    broker.schedule([planned(declared("of another", app="else"), NOON)])
    broker.schedule([planned(declared("of no app", app=None), NOON)])
    clock.advance(3)
    new = scheduler_of(broker, declared("stays"), declared("comes", 100.0))
    turns(clock, 30, new)

    assert "no longer in the code, dropped: goes" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING
    assert {each.name: each.due for each in broker.schedules()} == {
        "stays": NOON + 60,
        "comes": NOON + 103,
        "of another": NOON + 60,
        "of no app": NOON + 60,
    }


def test_a_process_without_a_schedule_drops_none(broker: MemoryBroker, clock: ManualClock) -> None:
    scheduler_of(broker, declared("report")).turn()
    turns(clock, 1000, scheduler_of(broker))

    assert names(broker) == ["report"]


def test_processes_with_different_schedules_keep_those_of_each_other(
    broker: MemoryBroker, clock: ManualClock
) -> None:
    old, new = scheduler_of(broker, declared("old")), scheduler_of(broker, declared("new"))
    turns(clock, 600, old, new)

    assert {each.name: each.runs for each in broker.schedules()} == {"old": 9, "new": 9}
    turns(clock, 400, new)  # the old one has ended
    assert names(broker) == ["new"]


def test_an_entry_that_nobody_declares_fires_until_it_is_dropped(
    broker: MemoryBroker, clock: ManualClock
) -> None:
    scheduler_of(broker, declared("gone", 5.0)).turn()
    turns(clock, 12, scheduler_of(broker, declared("report")))

    assert sent(broker) == 2


def test_a_declared_entry_that_was_deleted_comes_again(
    broker: MemoryBroker, clock: ManualClock
) -> None:
    scheduler = scheduler_of(broker, declared("report"))
    scheduler.turn()
    broker.unschedule(["report"])
    turns(clock, 10, scheduler)

    assert names(broker) == ["report"]
    assert scheduler.longest < 10  # a worker with nothing to do calls it that often


def test_a_changed_schedule_changes_the_moments_and_keeps_the_history(
    broker: MemoryBroker, clock: ManualClock
) -> None:
    first = scheduler_of(broker, declared())
    first.turn()
    clock.advance(60)
    first.turn()
    scheduler_of(broker, declared(every=600.0)).turn()

    (entry,) = broker.schedules()
    assert (entry.due, entry.runs) == (NOON + 660, 1)


def test_a_restart_neither_delays_nor_repeats(broker: MemoryBroker, clock: ManualClock) -> None:
    for _ in range(10):
        scheduler_of(broker, declared()).turn()
        clock.advance(12)

    scheduler_of(broker, declared()).turn()
    assert sent(broker) == 2


class Crowded(MemoryBroker):
    """A store to which another process writes its entries first, three times."""

    others = 3

    def schedule(self, entries: Sequence[Entry]) -> list[str]:
        if self.others:
            self.others -= 1
            super().schedule([planned(declared(every=7.0 + self.others), NOON)])
        return super().schedule(entries)


def test_declared_entries_are_written_though_others_start_at_the_same_time(
    clock: ManualClock,
) -> None:
    broker = Crowded(clock)
    scheduler_of(broker, declared()).turn()

    assert [each.schedule for each in broker.schedules()] == [declared().schedule]


def test_after_three_days_down_each_is_run_once_and_that_is_logged(
    broker: MemoryBroker, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler_of(broker, declared(every=3600.0)).turn()
    clock.advance(3 * 86400 + 600)
    with caplog.at_level(logging.INFO, "liteq.beat"):
        assert scheduler_of(broker, declared(every=3600.0)).turn() == NOON + 3 * 86400 + 3600

    assert sent(broker) == 1
    late, sending = [record.getMessage() for record in caplog.records]
    assert late == (
        "Scheduler: report is 600 s late for 2030-01-04T12:00:00+00:00 "
        "and has missed 71 before it (misfire=once)"
    )
    assert sending == "Scheduler: Sending due task report (task)"


def test_with_all_every_missed_moment_is_fired_in_small_batches(
    broker: MemoryBroker, clock: ManualClock
) -> None:
    scheduler = scheduler_of(broker, declared(every=1.0)._replace(misfire="all"))
    scheduler.turn()
    clock.advance(250)

    assert scheduler.turn() == clock()  # not done: there is more to do at once
    assert 0 < sent(broker) < 250
    while scheduler.turn() == clock():
        pass
    assert sent(broker) == 250


def test_skipped_moments_are_logged(
    broker: MemoryBroker, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    late = declared("late", 3600.0)._replace(misfire="skip")
    held = declared("held", 3000.0)._replace(overlap=False)
    scheduler = scheduler_of(broker, late, held)
    scheduler.turn()
    with caplog.at_level(logging.INFO, "liteq.beat"):
        clock.advance(3300)
        scheduler.turn()
        clock.advance(3000)
        scheduler.turn()

    lines = [record.getMessage() for record in caplog.records]
    assert "Scheduler: held still runs: passed over" in lines
    assert "Scheduler: late is too late: passed over" in lines
    assert sent(broker) == 1


def test_a_key_that_is_taken_is_logged(
    broker: MemoryBroker, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    entry = declared("unique", 3600.0)
    message = entry.message._replace(options='{"unique":{"key":"task k"}}')
    scheduler = scheduler_of(broker, entry._replace(message=message))
    scheduler.turn()
    with caplog.at_level(logging.INFO, "liteq.beat"):
        for _ in range(2):
            clock.advance(3600)
            scheduler.turn()

    lines = [record.getMessage() for record in caplog.records]
    assert "Scheduler: unique finds its unique key taken: passed over" in lines
    assert sent(broker) == 1


def test_a_clock_that_was_set_back_is_handled_when_that_is_reported(
    broker: MemoryBroker, clock: ManualClock
) -> None:
    scheduler = scheduler_of(broker, declared())
    scheduler.turn()
    clock.advance(-86400)
    assert scheduler.turn() == NOON + 60

    scheduler.clock_was_set()
    assert scheduler.turn() == NOON + 60 - 86400


def test_a_clock_that_was_set_back_is_handled_for_any_number_of_entries(
    broker: MemoryBroker, clock: ManualClock
) -> None:
    scheduler = scheduler_of(broker, *(declared(f"entry-{n}") for n in range(250)))
    scheduler.turn()
    clock.advance(-86400)
    scheduler.clock_was_set()
    scheduler.turn()

    assert {each.due for each in broker.schedules()} == {NOON + 60 - 86400}


def test_a_clock_that_was_set_back_while_nothing_ran_is_noticed_at_the_start(
    broker: MemoryBroker, clock: ManualClock
) -> None:
    scheduler_of(broker, declared()).turn()
    clock.advance(-86400)

    assert scheduler_of(broker, declared()).turn() == NOON + 60 - 86400


def test_an_entry_that_cannot_be_read_keeps_no_other_from_firing(
    broker: MemoryBroker, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    strange = declared("strange")._replace(schedule='{"tides": 1}', moment=NOON, due=NOON, app=None)
    broker.schedule([strange])
    scheduler = scheduler_of(broker, declared())
    for _ in range(5):
        assert scheduler.turn() == clock() + 60
        clock.advance(60)

    assert sent(broker) == 4
    assert [record.getMessage() for record in caplog.records] == ["Scheduler: strange cannot fire"]


class Interfering(MemoryBroker):
    """A store in which another process pauses entries between a read and the step."""

    def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        super().schedule([each._replace(paused=True, due=None) for each in self.schedules()])
        return super().fire(firings)


def test_an_entry_that_is_paused_at_the_last_moment_does_not_fire(clock: ManualClock) -> None:
    broker = Interfering(clock)
    scheduler = scheduler_of(broker, declared())
    scheduler.turn()
    clock.advance(60)

    assert scheduler.turn() is None
    assert sent(broker) == 0


def test_a_crontab_that_ends_is_over(broker: MemoryBroker, clock: ManualClock) -> None:
    clock.now = 253_370_764_800.0 - 86400  # the year 9998 ends, and with it the calendar
    last = Entry("last", to_text(crontab.from_string("@yearly")), MESSAGE, app="shop")

    assert scheduler_of(broker, last).turn() is None
