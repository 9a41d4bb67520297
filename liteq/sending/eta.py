"""Times as callers give them: seconds from now, a datetime, or ISO 8601 text."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from ..exceptions import InvalidTaskError
from ..support.zones import LOCAL, as_zone

_FAR = 1e11  # epoch seconds, some 3000 years from now: later ones are no valid datetime

When = float | timedelta | datetime | str | None


def due_at(countdown: When, eta: When, now: float) -> float | None:
    """Return when a task is due, in epoch seconds: `countdown` seconds from `now`, or at `eta`.

    None means at once; a time in the past does as well. A datetime without a zone is local time.

    Raises InvalidTaskError when `countdown` or `eta` is not a time.
    """
    if countdown is not None:
        return now + _seconds("countdown", countdown)
    return None if eta is None else _timestamp("eta", eta)


def moment(what: str, when: Any, now: float) -> float | None:
    """Return the moment that `when` means, in epoch seconds; None means never.

    `when`: seconds or a timedelta from `now`, or a datetime. Raises InvalidTaskError when it is
    none of them; the error calls it `what`.
    """
    if when is None:
        return None
    return _timestamp(what, when) if isinstance(when, datetime) else now + _seconds(what, when)


def expires_at(expires: When, now: float) -> float | None:
    """Return when a task expires, in epoch seconds; None means never.

    `expires`: seconds from `now`, or a datetime. Raises InvalidTaskError when it is neither.
    """
    if expires is None:
        return None
    if isinstance(expires, datetime | str):
        return _timestamp("expires", expires)
    return now + _seconds("expires", expires)


def check_limits(hard: Any, soft: Any) -> None:
    """Check the hard and the soft time limit, in seconds.

    Raises ValueError when one of them is not above 0, or the soft one is the longer.
    """
    for name, seconds in (("time_limit", hard), ("soft_time_limit", soft)):
        if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds < _FAR):
            raise ValueError(f"{name} is {seconds!r}: give a number of seconds above 0")
    if hard is not None and soft is not None and soft > hard:
        raise ValueError("soft_time_limit must be less than or equal to time_limit")


def _seconds(name: str, value: Any) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and abs(seconds) < _FAR:
        return float(seconds)  # NaN does not get here: no comparison with it is true
    raise InvalidTaskError(f"{name} is {value!r}: give a number of seconds below {_FAR:.0e}")


def _timestamp(name: str, value: Any) -> float:
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
    """Return the time zone that the settings of these names mean."""
    if timezone is None:
        return UTC if enable_utc else LOCAL
    return as_zone(timezone)
