"""The interval: a schedule of every so many seconds."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Self

from .base import BaseSchedule, TimeSource
from .wallclock import once, utc, wall

_LONGEST = timedelta(days=36525)  # a century; as seconds in a float it is exact to the microsecond
_SHORT = 3
_UNITS = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0), ("second", 1.0))


class schedule(BaseSchedule):  # noqa: N801 - Celery's name
    """A schedule that fires every `run_every`: a number of seconds or a timedelta.

    Intervals follow real time: changes of the clocks make them neither longer nor shorter. With
    `relative` each time is rounded down to the full day, hour, minute or second, whichever is the
    largest that fits into `run_every`; full days are those of the zone.

    Raises ValueError for an interval that is not above 0, or is longer than a century.
    """

    def __init__(
        self,
        run_every: float | timedelta,
        relative: bool = False,
        nowfun: Callable[[], datetime] | None = None,
        app: TimeSource | None = None,
        tz: Any = None,
    ) -> None:
        super().__init__(nowfun, app, tz if relative else None)
        self.run_every: timedelta = _interval(run_every)
        self.relative: bool = bool(relative)

    @property
    def seconds(self) -> float:
        """Return the interval in seconds."""
        return self.run_every.total_seconds()

    @property
    def human_seconds(self) -> str:
        """Return the interval in words: '1.50 hours'."""
        unit, length = next((u for u in _UNITS if self.seconds >= u[1]), _UNITS[-1])
        count = f"{self.seconds / length:.2f}"
        return f"{count} {unit}" if count == "1.00" else f"{count} {unit}s"

    def in_zone(self, tz: Any) -> Self:
        """Return the schedule with `tz` as its zone if it rounds and has none; itself otherwise."""
        return super().in_zone(tz) if self.relative else self

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the time one interval after `moment`, rounded down if `relative`; in UTC."""
        moment = utc(moment)
        try:
            return self._rounded(moment) if self.relative else moment + self.run_every
        except OverflowError:  # the calendar ends
            return None

    def last_until(self, moment: datetime, until: datetime) -> datetime:
        """Return the last time up to `until` of the series that begins with `moment`."""
        moment, until = utc(moment), utc(until)
        if self.relative and self.seconds >= 3600:
            return self._last_rounded(moment, until)
        steps = max((until - moment) // self.run_every - _SHORT, 0)
        return self._walk(moment + steps * self.run_every, until)

    def _last_rounded(self, moment: datetime, until: datetime) -> datetime:
        """Return the same where changes of the clocks make the steps differ."""
        first = self.next_after(moment)
        if self.seconds < 86400 or first is None or first > until:
            return self._walk(moment, until)
        # From midnight to midnight, so what exceeds full days is rounded away in each step.
        step = timedelta(days=self.run_every.days)
        steps = max((until - first) // step - _SHORT, 0)
        return self._walk(self._midnight(wall(first, self.zone) + steps * step), until)

    def _midnight(self, day: datetime) -> datetime:
        return once(day.replace(hour=0, minute=0, second=0, microsecond=0), self.zone)

    def _rounded(self, moment: datetime) -> datetime:
        if self.seconds >= 86400:
            # Days are counted in wall time: some have 25 hours, and 24 must not end in the same.
            return self._midnight(wall(moment, self.zone) + self.run_every)
        following = moment + self.run_every
        shown = wall(following, self.zone)
        over = timedelta()
        if self.seconds >= 1:
            over += timedelta(microseconds=shown.microsecond)
        if self.seconds >= 60:
            over += timedelta(seconds=shown.second)
        if self.seconds >= 3600:
            over += timedelta(minutes=shown.minute)
        return following - over

    def _key(self) -> tuple[Any, ...]:
        return (self.run_every, self.relative, self.tz)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, timedelta):
            return not self.relative and self.run_every == other
        return super().__eq__(other)

    def __hash__(self) -> int:
        return super().__hash__() if self.relative else hash(self.run_every)

    def __repr__(self) -> str:
        return f"<freq: {self.human_seconds}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.run_every, self.relative, self.nowfun, None, self.tz)


def _interval(given: float | timedelta) -> timedelta:
    try:
        interval = given if isinstance(given, timedelta) else timedelta(seconds=given)
    except (OverflowError, ValueError):  # infinity; not a number
        interval = timedelta()
    if timedelta() < interval <= _LONGEST:
        return interval
    raise ValueError(f"run_every is {given!r}: give seconds, above 0 and at most a century")
