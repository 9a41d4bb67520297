"""Schedules as text, as they are stored, and back."""

import json
from collections.abc import Callable
from typing import Any

from ..support.zones import name_of
from .base import BaseSchedule
from .cron import crontab
from .daylight import solar
from .interval import schedule


def to_text(given: BaseSchedule) -> str:
    """Return a schedule as JSON, such as '{"crontab": "0 7 * * mon", "tz": "Europe/Paris"}'.

    `nowfun` and `app` are left out. Raises TypeError for a class that is not liteq's, ValueError
    for a time zone that has no name.
    """
    write = _WRITE.get(type(given))
    if write is None:
        known = ", ".join(kind.__name__ for kind in _WRITE)
        raise TypeError(f"{given!r} cannot be written as text: only {known} can")
    fields = write(given)
    if given.tz is not None:
        fields["tz"] = name_of(given.tz)
    return json.dumps(fields)


_TOO_MUCH = (OverflowError, RecursionError)  # a number too large, or JSON too deep


def from_text(text: str) -> BaseSchedule:
    """Return the schedule that `to_text` wrote. Raises ValueError for any other text."""
    try:
        fields = json.loads(text)
        kind = next(kind for kind in _READ if kind in fields)
        return _READ[kind](fields.pop(kind), **fields)
    except (ValueError, TypeError, AttributeError, StopIteration, *_TOO_MUCH) as exc:
        known = ", ".join(_READ)
        raise ValueError(
            f"{text!r} is no schedule: give a JSON object with one of {known} ({exc})"
        ) from exc


def _write_crontab(given: crontab) -> dict[str, Any]:
    return {"crontab": given.expression}


def _read_crontab(expression: str, tz: str | None = None) -> BaseSchedule:
    return crontab.from_string(expression, tz)


def _write_interval(given: schedule) -> dict[str, Any]:
    # Seconds are exact: an interval is at most a century long.
    return {"every": given.seconds} | ({"relative": True} if given.relative else {})


def _read_interval(seconds: float, relative: bool = False, tz: str | None = None) -> BaseSchedule:
    return schedule(seconds, relative, tz=tz)


def _write_solar(given: solar) -> dict[str, Any]:
    return {"solar": given.event, "lat": given.lat, "lon": given.lon}


def _read_solar(event: str, lat: float, lon: float) -> BaseSchedule:
    return solar(event, lat, lon)


_WRITE: dict[type, Callable[[Any], dict[str, Any]]] = {
    crontab: _write_crontab,
    schedule: _write_interval,
    solar: _write_solar,
}
_READ: dict[str, Callable[..., BaseSchedule]] = {
    "crontab": _read_crontab,
    "every": _read_interval,
    "solar": _read_solar,
}
