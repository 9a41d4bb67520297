"""Schedules of periodic tasks, with the names of `celery.schedules`. No I/O; time is an argument.

A schedule computes `next_after(moment)`; Celery's `is_due` and `remaining_estimate` follow from it.
To add one: a subclass of `BaseSchedule` in a file here, and its lines in `text.py`.
"""

from copy import copy
from datetime import timedelta
from numbers import Real

from .base import BaseSchedule, ScheduleState, TimeSource
from .cron import crontab
from .daylight import solar
from .fields import ParseException, crontab_parser
from .interval import schedule
from .text import from_text, to_text

__all__ = [
    "BaseSchedule",
    "ParseException",
    "ScheduleState",
    "crontab",
    "crontab_parser",
    "from_text",
    "maybe_schedule",
    "schedule",
    "solar",
    "to_text",
]


def maybe_schedule(
    s: float | timedelta | BaseSchedule | None,
    relative: bool = False,
    app: TimeSource | None = None,
) -> BaseSchedule | None:
    """Return the schedule for seconds, a timedelta or a schedule; None for None.

    `relative` is for intervals (see `schedule`); `app` gives the zone of a schedule that has none
    of its own. Raises TypeError for anything else, ValueError for an interval not above 0.
    """
    if s is None:
        return None
    if isinstance(s, Real | timedelta):
        return schedule(s, relative, app=app)
    if not isinstance(s, BaseSchedule):
        raise TypeError(
            f"schedule is {s!r}: give seconds, a timedelta, or a schedule such as "
            "crontab.from_string('*/5 * * * *')"
        )
    if app is None:
        return s
    own = copy(s)  # `s` itself may be used by another app as well
    own.app = app
    return own
