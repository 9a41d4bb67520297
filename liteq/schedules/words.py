"""Schedules in words, for people: "at 07:30 on Monday to Friday"."""

from collections.abc import Collection, Sequence

from .base import BaseSchedule
from .cron import crontab
from .daylight import solar
from .interval import schedule

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_MOST_TIMES = 6  # times of a day that are listed


def in_words(given: BaseSchedule) -> str:
    """Return when a schedule fires. One of another class is told by its `repr`."""
    if isinstance(given, schedule):
        return _interval(given.seconds)
    if isinstance(given, crontab):
        return _crontab(given)
    if isinstance(given, solar):
        event = given.event.replace("_", " ")
        return f"at {event} at latitude {given.lat:g}, longitude {given.lon:g}"
    return repr(given)


def _interval(seconds: float) -> str:
    for length, unit in _UNITS:
        if seconds >= length and seconds % length == 0:
            n = int(seconds // length)
            return f"every {unit}" if n == 1 else f"every {n} {unit}s"
    return f"every {seconds:g} seconds"


def _crontab(given: crontab) -> str:
    parts = [_times(given), _dates(given), _weekdays(given)]
    zone = "" if given.tz is None else f" ({given.tz})"
    return " ".join(filter(None, parts)) + zone


def _times(given: crontab) -> str:
    minutes, hours = sorted(given.minute), sorted(given.hour)
    if len(minutes) * len(hours) <= _MOST_TIMES:
        return "at " + _listed([f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])
    step = _step(minutes, 60)
    if step == 1:
        told = "every minute"
    elif minutes == [0]:
        told = "on the hour"
    elif step:
        told = f"every {step} minutes"
    else:
        told = f"at {_listed([str(each) for each in minutes])} minutes past the hour"
    return told + _of_hours(hours)


def _of_hours(hours: Sequence[int]) -> str:
    if len(hours) == 24:
        return ""
    step = _step(hours, 24)
    if step:
        return f" of every {step} hours"
    if _is_run(hours):
        return f" from {hours[0]:02}:00 to {hours[-1]:02}:59"
    return f" of the hours {_listed([str(each) for each in hours])}"


def _dates(given: crontab) -> str:
    days, months = sorted(given.day_of_month), sorted(given.month_of_year)
    names = _listed([_MONTHS[month - 1] for month in months]) if len(months) < 12 else ""
    if len(days) == 31:
        return f"in {names}" if names else ""
    told = "on day " + _ranged(days, [str(each) for each in days])
    return f"{told} of {names or 'the month'}"


def _weekdays(given: crontab) -> str:
    days = sorted(given.day_of_week, key=lambda day: (day - 1) % 7)  # from Monday on
    if len(days) == 7:
        return ""
    places = [(day - 1) % 7 for day in days]
    return "on " + _ranged(places, [_DAYS[day] for day in days])


def _ranged(numbers: Sequence[int], names: Sequence[str]) -> str:
    """Return names, which stand for `numbers`: as a range where they are one."""
    if len(numbers) > 2 and _is_run(numbers):
        return f"{names[0]} to {names[-1]}"
    return _listed(names)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _is_run(numbers: Sequence[int]) -> bool:
    return list(numbers) == list(range(numbers[0], numbers[-1] + 1))


def _step(numbers: Collection[int], whole: int) -> int | None:
    """Return the step by which `numbers` go through all of 0 to `whole`; None if they do not."""
    step = whole // len(numbers)
    return step if sorted(numbers) == list(range(0, whole, step)) and whole % step == 0 else None
