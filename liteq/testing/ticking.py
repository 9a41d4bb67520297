"""Periodic tasks in tests, by a clock that is moved by hand: `firings`, `tick`, `travel`."""

from datetime import UTC, datetime
from itertools import takewhile
from math import inf

from ..app import LiteQ
from ..beat.firing import planned, timeline
from ..beat.periodic import entries_of, name_of
from ..beat.scheduler import Scheduler
from ..beat.timetable import Upcoming
from ..brokers.base import Broker
from ..model.entry import Fired
from ..support.clock import ManualClock
from .draining import drain


def firings(
    app: LiteQ, after: datetime | float, until: datetime | float, *names: str
) -> list[Upcoming]:
    """Return what the schedules in the code of `app` would fire after one time, up to another.

    It is as if a worker had been started at the first time and never stopped. Times are aware
    datetimes or epoch seconds; those returned are in order, in the app's time zone. `names`: only
    these schedules. Nothing is sent, and no store is used.
    """
    start, end = _seconds(after), _seconds(until)
    entries = [planned(each, start) for each in entries_of(app) if not names or each.name in names]
    return [
        Upcoming(datetime.fromtimestamp(when, app.timezone), name)
        for when, name in takewhile(lambda pair: pair[0] <= end, timeline(entries))
    ]


def tick(app: LiteQ) -> list[str]:
    """Fire what is due by the clock of `app.broker`; return the names, in the order of firing.

    The schedules in the code of `app` are written to the store first, as when a worker starts. So
    the first call fires nothing: intervals begin with it. The tasks that are sent wait for `drain`
    or for a worker.
    """
    return _fire(_scheduler(app))


def travel(app: LiteQ, seconds: float) -> list[str]:
    """Let `seconds` pass, as if a worker were running; return the names of what fired, in order.

    The clock of `app.broker` goes from one time at which something is due to the next. At each,
    schedules fire and ready tasks are run, in this thread. Raises TypeError when the clock is not a
    ManualClock.
    """
    clock = app.broker.clock
    if not isinstance(clock, ManualClock):
        raise TypeError(f"{app.broker.url} has no ManualClock: its time cannot be moved")
    scheduler = _scheduler(app)
    end = clock() + seconds
    names = _fire(scheduler)
    drain(app)
    while (upcoming := _next(app.broker)) <= end:
        clock.now = max(upcoming, clock())
        names += _fire(scheduler)
        drain(app)
    clock.now = end
    return names


def _scheduler(app: LiteQ) -> Scheduler:
    app.load_tasks()
    return Scheduler(app.broker, name_of(app), entries_of(app))


def _fire(scheduler: Scheduler) -> list[str]:
    names: list[str] = []
    while steps := scheduler.step():
        sent = [due for due, fired in steps if fired is Fired.DONE and due.firing.message]
        names += [due.firing.entry.name for due in sent]
    return names


def _next(broker: Broker) -> float:
    """Return when a schedule or a task with an eta is due next; infinity for never."""
    return min(
        (moment for moment in (broker.next_fire(), broker.promote()) if moment is not None),
        default=inf,
    )


def _seconds(moment: datetime | float) -> float:
    if not isinstance(moment, datetime):
        return float(moment)
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone: give an aware datetime")
    return moment.astimezone(UTC).timestamp()
