"""Time zones: what callers give, as a `tzinfo`, and its name back."""

from datetime import UTC, datetime, timezone, tzinfo
from typing import Any


def as_zone(given: Any) -> tzinfo:
    """The time zone that is meant by a name, by an offset such as '+05:30', or by a tzinfo.

    Names are those of the tz database, such as 'Europe/Paris'. 'UTC' and offsets are known
    everywhere, even without that database. Raises ValueError for a name that is not known here,
    TypeError for what is no zone.
    """
    # A zone of pytz gives wrong answers where it is used as any other tzinfo; its name does not.
    name = getattr(given, "key", None) or getattr(given, "zone", None) or given
    if isinstance(name, str):
        return _named(name)
    if isinstance(given, tzinfo):
        return given
    raise TypeError(f"time zone {given!r}: give a name such as 'Europe/Paris', or a tzinfo")


def name_of(zone: tzinfo) -> str:
    """The text that `as_zone` reads as `zone`. Raises ValueError if there is none."""
    if zone is UTC:
        return "UTC"
    if isinstance(zone, timezone):
        return datetime(2000, 1, 1, tzinfo=zone).isoformat()[19:]  # what follows the seconds
    key = getattr(zone, "key", None)
    if isinstance(key, str):
        return key
    raise ValueError(f"time zone {zone!r} has no name: give one such as 'Europe/Paris'")


def _named(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    if name[:1] in {"+", "-"}:
        return _offset(name)
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # not there; no path below the database; a folder
        raise ValueError(f"time zone {name!r} is not known here{_cure(name)}") from None


def _offset(text: str) -> tzinfo:
    try:
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{text}").tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise ValueError(f"time zone {text!r}: an offset is written as '+05:30'")
    return zone


def _cure(name: str) -> str:
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    known = available_timezones()
    if not known:
        return ": this computer has no database of time zones (pip install tzdata); UTC works"
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
