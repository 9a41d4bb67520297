"""Moments as callers give them: seconds from now, a datetime, or ISO 8601."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from ..exceptions import InvalidTaskError
from ..support.zones import LOCAL, as_zone

_EVER = 1e11  # seconds since the epoch: beyond it, some 3000 years on, datetimes end

When = float | timedelta | datetime | str | None


def due_at(countdown: When, eta: When, now: float) -> float | None:
    """When a task is due: `countdown` seconds from `now`, or at `eta`; None is at once.

    A moment in the past is at once as well. A datetime without a zone is local time. Raises
    InvalidTaskError for what is no moment.
    """
    if countdown is not None:
        return now + _seconds("countdown", countdown)
    return None if eta is None else _moment("eta", eta)


def expires_at(expires: When, now: float) -> float | None:
    """When a task expires: `expires` seconds from `now`, or at that moment; None is never."""
    if expires is None:
        return None
    if isinstance(expires, datetime | str):
        return _moment("expires", expires)
    return now + _seconds("expires", expires)


def check_limits(hard: Any, soft: Any) -> None:
    """Check time limits. Raises ValueError for what cannot be one."""
    for name, seconds in (("time_limit", hard), ("soft_time_limit", soft)):
        if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds < _EVER):
            raise ValueError(f"{name} is {seconds!r}: give a number of seconds above 0")
    if hard is not None and soft is not None and soft > hard:
        raise ValueError("soft_time_limit must be less than or equal to time_limit")


def _seconds(name: str, value: Any) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and abs(seconds) < _EVER:
        return float(seconds)  # NaN is not less than anything
    raise InvalidTaskError(f"{name} is {value!r}: give a number of seconds below {_EVER:.0e}")


def _moment(name: str, value: Any) -> float:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as exc:
            raise InvalidTaskError(f"{name} is {value!r}: {exc}") from None
    if not isinstance(value, datetime):
        raise InvalidTaskError(f"{name} is {value!r}: give a datetime; for seconds, a countdown")
    try:
        return value.timestamp()
    except (OverflowError, ValueError, OSError):  # a naive one at either end of the calendar
        raise InvalidTaskError(f"{name} is {value}: the calendar here does not reach it") from None


def zone_of(timezone: Any, enable_utc: bool) -> tzinfo:
    """The zone that the settings of these names mean."""
    if timezone is None:
        return UTC if enable_utc else LOCAL
    return as_zone(timezone)
