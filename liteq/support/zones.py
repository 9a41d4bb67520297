"""Time zones: what callers give, as a `tzinfo`, and its name back."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from .nearest import did_you_mean


class LocalZone(tzinfo):
    """The zone of this computer, with its summer time: whatever the system says of each moment."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        if dt is None:
            return None
        # Python reads a datetime without a zone as local time, and heeds its `fold`.
        shown = dt.replace(tzinfo=None)
        # Not `astimezone`: in the gap of a clock that is put forward that has the later offset.
        return shown - datetime.fromtimestamp(shown.timestamp(), UTC).replace(tzinfo=None)

    def dst(self, dt: datetime | None) -> None:
        """Not known: the system tells offsets only."""

    def tzname(self, dt: datetime | None) -> str | None:
        return "local" if dt is None else dt.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, dt: datetime) -> datetime:
        here = dt.replace(tzinfo=UTC).astimezone()
        shown = here.replace(tzinfo=self, fold=0)
        # Of two moments that show the same, the one that `fold=0` does not mean is the second.
        return shown if shown.utcoffset() == here.utcoffset() else shown.replace(fold=1)

    def __repr__(self) -> str:
        return "local"


LOCAL = LocalZone()


def as_zone(given: Any) -> tzinfo:
    """The time zone that is meant by a name, by an offset such as '+05:30', or by a tzinfo.

    Names are those of the tz database, such as 'Europe/Paris'. 'UTC', 'local' (that of this
    computer) and offsets are known everywhere, even without that database. Raises ValueError for
    a name that is not known here, TypeError for what is no zone.
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
    if isinstance(zone, LocalZone):
        return "local"
    if isinstance(zone, timezone):
        return datetime(2000, 1, 1, tzinfo=zone).isoformat()[19:]  # what follows the seconds
    key = getattr(zone, "key", None)
    if isinstance(key, str):
        return key
    raise ValueError(f"time zone {zone!r} has no name: give one such as 'Europe/Paris'")


def _named(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    if name == "local":
        return LOCAL
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
    from zoneinfo import available_timezones

    known = available_timezones()
    if not known:
        return ": this computer has no database of time zones (pip install tzdata); UTC works"
    return did_you_mean(name, known)
