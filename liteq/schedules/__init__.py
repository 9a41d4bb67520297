"""When periodic tasks run: Celery's `celery.schedules`. No I/O; time is an argument.

A schedule answers one question, `next_after(moment)`. Celery's `is_due` and `remaining_estimate`
are made from it. To add a kind: a subclass of `BaseSchedule` here, and its lines in `text.py`.
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
    """A schedule of whatever an entry names: seconds, a timedelta or a schedule; None is None.

    `relative` is for intervals (see `schedule`); the zone is that of `app` where the schedule has
    none of its own. Raises TypeError for anything else, ValueError for an interval not above 0.
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
    own = copy(s)  # the one that was given may be used by another app as well
    own.app = app
    return own
