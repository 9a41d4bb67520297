"""The crontab: a schedule by clock and calendar."""

from collections.abc import Callable, Iterator
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from typing import Any, Self

from .base import NEVER, BaseSchedule, TimeSource, aware
from .fields import ParseException, Spec, crontab_parser, text_of
from .wallclock import each_time, offsets_near, once, utc

_FIELDS = {  # Celery's order and names; the number of values, and the first one
    "minute": (60, 0),
    "hour": (24, 0),
    "day_of_week": (7, 0),
    "day_of_month": (31, 1),
    "month_of_year": (12, 1),
}
_LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}  # the others have 31 days
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * sun",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_BEGIN = datetime(2, 1, 1, tzinfo=UTC)  # a year from the calendar's ends, safe in any zone
_END = datetime(MAXYEAR - 1, 1, 1, tzinfo=UTC)


class crontab(BaseSchedule):  # noqa: N801 - Celery's name
    """A schedule that fires at each minute that all fields match; a field not given is `*`.

    A field is a number, a text such as '*/15', '8-17', '*/3,8-17' or 'mon-fri', or a list or set
    of them (see `crontab_parser`). Sunday is 0. As in Celery, and unlike in cron, a day has to
    match both `day_of_month` and `day_of_week`: `day_of_month='1-7', day_of_week='mon'` is the
    first Monday of a month. `tz` is the zone of the times (see `BaseSchedule`).

    When clocks go forward, a time in the gap fires at the first moment after it; when they go
    back, a time that comes twice fires the first time only. But hours that are written with a
    star (`*`, `*/2`), or are all 24, follow real time: each occurrence fires, and a time in the
    gap fires when as much time has passed, so that an hourly task runs every hour.

    Raises ParseException, a ValueError, for a field that cannot be parsed and for dates that do
    not exist, such as 31 April; TypeError for another type; ValueError for an unknown zone.
    """

    minute: frozenset[int]
    hour: frozenset[int]
    day_of_week: frozenset[int]
    day_of_month: frozenset[int]
    month_of_year: frozenset[int]

    def __init__(
        self,
        minute: Spec = "*",
        hour: Spec = "*",
        day_of_week: Spec = "*",
        day_of_month: Spec = "*",
        month_of_year: Spec = "*",
        nowfun: Callable[[], datetime] | None = None,
        app: TimeSource | None = None,
        tz: Any = None,
    ) -> None:
        super().__init__(nowfun, app, tz)
        given = (minute, hour, day_of_week, day_of_month, month_of_year)
        self._texts = tuple(_text(name, spec) for name, spec in zip(_FIELDS, given, strict=True))
        values = [_values(name, text) for name, text in zip(_FIELDS, self._texts, strict=True)]
        self.minute, self.hour, self.day_of_week, self.day_of_month, self.month_of_year = values
        self._real_time = "*" in self._texts[1] or len(self.hour) == 24
        self._check_dates()

    @classmethod
    def from_string(cls, expression: str, tz: Any = None) -> Self:
        """Return the schedule of a line of cron: minute, hour, day of month, month, day of week.

        `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly` stand
        for lines. Raises ParseException for any other word or number of fields.
        """
        fields = _MACROS.get(expression.strip().lower(), expression).split()
        if len(fields) != 5:
            raise ParseException(
                f"crontab {expression!r}: write five fields (minute, hour, day of month, month, "
                f"day of week) or one of {', '.join(_MACROS)}"
            )
        minute, hour, day_of_month, month_of_year, day_of_week = fields
        return cls(minute, hour, day_of_week, day_of_month, month_of_year, tz=tz)

    @property
    def expression(self) -> str:
        """Return the line of cron, from which `from_string` makes this schedule."""
        minute, hour, day_of_week, day_of_month, month_of_year = self._texts
        return f"{minute} {hour} {day_of_month} {month_of_year} {day_of_week}"

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment`, never itself, that all fields match; in UTC."""
        moment = max(utc(moment), _BEGIN)
        if moment >= _END:
            return None
        zone = self.zone
        # Near a change of the clocks, wall times are not in the order of their moments. So the
        # search begins at the least wall time, and ends when all that follow are later.
        least, _ = offsets_near(moment, zone)
        found: datetime | None = None
        for shown in self._wall_times((moment + least).replace(tzinfo=None)):
            moments = each_time(shown, zone) if self._real_time else (once(shown, zone),)
            later = [each for each in moments if each > moment]
            found = min([*later, found] if found else later, default=None)
            if found and found <= shown.replace(tzinfo=UTC) - offsets_near(found, zone)[1]:
                break
        return found

    def remaining_delta(self, last_run_at: datetime) -> tuple[datetime, timedelta, datetime]:
        """Return the last run, the time from it to the next one, and now; in `zone`."""
        last = aware(last_run_at).astimezone(self.zone)
        following = self.next_after(last)
        delta = NEVER if following is None else following - utc(last)
        return last, delta, aware(self.now()).astimezone(self.zone)

    def _wall_times(self, start: datetime) -> Iterator[datetime]:
        """Yield the wall times that match, from the minute of `start` on, in order."""
        hours, minutes = sorted(self.hour), sorted(self.minute)
        for day in self._days(start.date()):
            first = start.time() if day == start.date() else time.min
            for hour in hours:
                if hour < first.hour:
                    continue
                for minute in minutes:
                    if (hour, minute) >= (first.hour, first.minute):
                        yield datetime.combine(day, time(hour, minute))

    def _days(self, start: date) -> Iterator[date]:
        """Yield the days that match, from `start` on, in order, up to the year 9998."""
        months, days = sorted(self.month_of_year), sorted(self.day_of_month)
        for year in range(start.year, MAXYEAR):
            for month in months:
                if (year, month) < (start.year, start.month):
                    continue
                following = date(year + month // 12, month % 12 + 1, 1)
                length = (following - timedelta(days=1)).day
                for number in days:
                    if number > length:
                        break
                    day = date(year, month, number)
                    if day >= start and day.isoweekday() % 7 in self.day_of_week:
                        yield day

    def _check_dates(self) -> None:
        longest = max(_LONGEST_MONTH.get(month, 31) for month in self.month_of_year)
        day = min(self.day_of_month)
        if day > longest:
            raise ParseException(
                f"crontab {self.expression!r} never fires: no month it names has a day {day}"
            )

    def _key(self) -> tuple[Any, ...]:
        days = (self.day_of_week, self.day_of_month, self.month_of_year)
        return (self.minute, self.hour, *days, self._real_time, self.tz)

    def __repr__(self) -> str:
        zone = "" if self.tz is None else f" {self.tz}"
        return f"<crontab: {self.expression} (m/h/dM/MY/d){zone}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self._texts, self.nowfun, None, self.tz)


def _text(name: str, spec: Spec) -> str:
    try:
        return text_of(spec)
    except TypeError as exc:
        raise TypeError(f"{name} {exc}") from None


def _values(name: str, text: str) -> frozenset[int]:
    try:
        return frozenset(crontab_parser(*_FIELDS[name]).parse(text))
    except ParseException as exc:
        raise ParseException(f"{name} {text!r}: {exc}") from None
