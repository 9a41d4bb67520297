"""Periodic tasks in tests: what would fire, and firing it by a clock that is moved by hand."""

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
    """What the schedules in the code of `app` would fire after one moment and up to another.

    It is as if a worker had been started at the first moment and never stopped. Moments are aware
    datetimes or seconds since the epoch; the answer is in order, in the app's time zone. `names`:
    only these schedules. Nothing is sent, and no store is asked.
    """
    start, end = _seconds(after), _seconds(until)
    entries = [planned(each, start) for each in entries_of(app) if not names or each.name in names]
    return [
        Upcoming(datetime.fromtimestamp(when, app.timezone), name)
        for when, name in takewhile(lambda pair: pair[0] <= end, timeline(entries))
    ]


def tick(app: LiteQ) -> list[str]:
    """Fire what is due by the clock of `app.broker`; answer the names, in the order of firing.

    The schedules in the code of `app` are brought into the store first, as when a worker starts,
    so the first call only begins: intervals are counted from there. What is sent waits for
    `drain`, or for a worker.
    """
    return _fire(_scheduler(app))


def travel(app: LiteQ, seconds: float) -> list[str]:
    """Let so much time pass, as if a worker were up: answer the names of what has fired, in order.

    The clock of `app.broker`, a ManualClock, goes from one moment at which something is due to
    the next; there schedules fire, and what is ready is run, in this thread.
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
    """When there is something to do: a schedule to fire, or a task whose eta has come."""
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
