"""The solar schedule, by events of the sun."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from .base import BaseSchedule, TimeSource
from .sun import altitude, noon
from .wallclock import utc

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HALF_DAY = 43200.0
_DAYS_AHEAD = 400  # an event that happens at a place at all happens within a year


class _Crossing(NamedTuple):
    """A crossing of a height, in degrees above the horizon, by the sun's centre."""

    height: float
    upwards: bool


_UPPER_LIMB = -50 / 60  # degrees: the horizon, less refraction (34') and the sun's radius (16')
_EVENTS: dict[str, _Crossing | None] = {
    "dawn_astronomical": _Crossing(-18, upwards=True),
    "dawn_nautical": _Crossing(-12, upwards=True),
    "dawn_civil": _Crossing(-6, upwards=True),
    "sunrise": _Crossing(_UPPER_LIMB, upwards=True),
    "solar_noon": None,
    "sunset": _Crossing(_UPPER_LIMB, upwards=False),
    "dusk_civil": _Crossing(-6, upwards=False),
    "dusk_nautical": _Crossing(-12, upwards=False),
    "dusk_astronomical": _Crossing(-18, upwards=False),
}


class solar(BaseSchedule):  # noqa: N801 - Celery's name
    """A schedule by an event of the sun, at a place `lat` degrees north and `lon` degrees east.

    Events are `dawn_astronomical`, `dawn_nautical`, `dawn_civil` (the sun's centre 18, 12 and 6
    degrees below the horizon), `sunrise`, `solar_noon`, `sunset`, `dusk_civil`, `dusk_nautical`
    and `dusk_astronomical`. Days on which the event does not happen, as in polar summers and
    winters, are skipped. Times are whole seconds, and right to about a minute: the real horizon,
    and the air, vary more.

    Raises ValueError for another event, and for a place that is not on the globe.
    """

    def __init__(
        self,
        event: str,
        lat: float,
        lon: float,
        nowfun: Callable[[], datetime] | None = None,
        app: TimeSource | None = None,
    ) -> None:
        super().__init__(nowfun, app)
        if event not in _EVENTS:
            raise ValueError(f"event {event!r}: give one of {', '.join(_EVENTS)}")
        if not -90 <= lat <= 90:
            raise ValueError(f"lat is {lat!r}: give degrees from -90 (south) to 90 (north)")
        if not -180 <= lon <= 180:
            raise ValueError(f"lon is {lon!r}: give degrees from -180 (west) to 180 (east)")
        self.event = event
        self.lat: float = float(lat)
        self.lon: float = float(lon)

    def in_zone(self, tz: Any) -> Self:
        """Return this schedule: the sun needs no time zone."""
        return self

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the time of the first event after `moment`, never `moment` itself."""
        after = (utc(moment) - _EPOCH).total_seconds()
        day = int((after + self.lon * 240) // 86400) - 1
        try:
            for each in range(day, day + _DAYS_AHEAD):
                for when in self._events_of(each):
                    # Whole seconds: the last bits of a sine differ between computers.
                    if round(when) > after:
                        return _EPOCH + timedelta(seconds=round(when))
        except OverflowError:  # the calendar ends
            pass
        return None

    def _events_of(self, day: int) -> list[float]:
        """Return the times of the event between the lowest points of the sun around its noon."""
        high = noon(day, self.lon)
        crossing = _EVENTS[self.event]
        if crossing is None:
            return [high]
        low, next_low = high - _HALF_DAY, noon(day + 1, self.lon) - _HALF_DAY
        halves = ((low, high), (high, next_low))
        found = [self._crossing_time(crossing, begin, end) for begin, end in halves]
        return [when for when in found if when is not None]

    def _crossing_time(self, crossing: _Crossing, begin: float, end: float) -> float | None:
        """Return when the sun crosses the height, to half a second; None if it does not."""

        def is_past(when: float) -> bool:
            return (altitude(when, self.lat, self.lon) >= crossing.height) == crossing.upwards

        if is_past(begin) or not is_past(end):
            return None
        while end - begin > 0.5:
            middle = (begin + end) / 2
            if is_past(middle):
                end = middle
            else:
                begin = middle
        return end

    def _key(self) -> tuple[Any, ...]:
        return (self.event, self.lat, self.lon)

    def __repr__(self) -> str:
        return f"<solar: {self.event} at latitude {self.lat:g}, longitude: {self.lon:g}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.event, self.lat, self.lon, self.nowfun)
