"""Times and waits: Celery's `celery.utils.time`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from ..support.backoff import Backoff, full_jitter, no_jitter
from ..support.zones import LOCAL, as_zone

__all__ = [
    "get_exponential_backoff_interval",
    "is_naive",
    "localize",
    "make_aware",
    "maybe_iso8601",
    "maybe_make_aware",
    "maybe_timedelta",
    "remaining",
    "timezone",
    "to_utc",
]


def get_exponential_backoff_interval(
    factor: float, retries: int, maximum: float, full_jitter: bool = False
) -> float:
    """Return the seconds to wait after `retries` earlier retries.

    They begin with `factor`, double each time, and end at `maximum`. `full_jitter`: a random number
    from 0 to that.
    """
    return Backoff(factor, maximum, _full_jitter if full_jitter else no_jitter).delay(retries)


_full_jitter: Callable[[float], float] = full_jitter


def maybe_timedelta(delta: Any) -> Any:
    """Return a number of seconds as a timedelta, and anything else as it is."""
    return timedelta(seconds=delta) if isinstance(delta, int | float) else delta


def maybe_iso8601(dt: datetime | str | None) -> datetime | None:
    """Return the datetime of an ISO 8601 text; a datetime and None as they are.

    Raises ValueError for any other text.
    """
    return datetime.fromisoformat(dt) if isinstance(dt, str) else dt


def is_naive(dt: datetime) -> bool:
    """Return whether `dt` has no time zone."""
    return dt.utcoffset() is None


def make_aware(dt: datetime, tz: tzinfo | str) -> datetime:
    """Return `dt`, a naive time of the zone `tz`, as an aware one."""
    return dt.replace(tzinfo=as_zone(tz))


def maybe_make_aware(dt: datetime, tz: tzinfo | str | None = None) -> datetime:
    """Return `dt` as a time in the zone `tz`, UTC unless given; a naive one is taken for UTC."""
    aware = to_utc(dt) if is_naive(dt) else dt
    return localize(aware, UTC if tz is None else tz)


def localize(dt: datetime, tz: tzinfo | str) -> datetime:
    """Return the aware `dt` as a time in the zone `tz`."""
    return dt.astimezone(as_zone(tz))


def to_utc(dt: datetime) -> datetime:
    """Return `dt`, a naive time in UTC, as an aware one."""
    return make_aware(dt, UTC)


def remaining(
    start: datetime, ends_in: timedelta, now: datetime | None = None, relative: bool = False
) -> timedelta:
    """Return how long it is from `now` to `ends_in` after `start`; negative when that is past.

    `relative`: the end is rounded down to the day, hour, minute or second, whichever is the largest
    that fits into `ends_in`.
    """
    end = start + ends_in
    if relative:
        end = _rounded(end, ends_in)
    return end - (now or datetime.now(UTC if start.tzinfo else None))


def _rounded(moment: datetime, delta: timedelta) -> datetime:
    for unit, below in _UNITS:
        if delta >= unit:
            return moment.replace(**below)
    return moment


_SECOND = {"microsecond": 0}
_MINUTE = {"second": 0, **_SECOND}
_HOUR = {"minute": 0, **_MINUTE}
_UNITS: tuple[tuple[timedelta, dict[str, Any]], ...] = (
    (timedelta(days=1), {"hour": 0, **_HOUR}),
    (timedelta(hours=1), _HOUR),
    (timedelta(minutes=1), _MINUTE),
    (timedelta(seconds=1), _SECOND),
)


class _Zones:
    """The time zones that programs ask `timezone` for."""

    utc: tzinfo = UTC

    @property
    def local(self) -> tzinfo:
        """Return the zone of this machine."""
        return LOCAL

    def get_timezone(self, zone: tzinfo | str) -> tzinfo:
        """Return a zone by its name; a zone as it is."""
        return as_zone(zone)

    def to_local(self, dt: datetime, local: tzinfo | None = None) -> datetime:
        """Return `dt`, taken for UTC if it is naive, as a time in the zone `local`, or here."""
        return maybe_make_aware(dt, local or LOCAL)


timezone: _Zones = _Zones()
