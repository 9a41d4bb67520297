"""Time zones: names and offsets to `tzinfo`, and back."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from .nearest import did_you_mean


class LocalZone(tzinfo):
    """The zone of this computer, with its summer time, by the system's offset at each time."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        if dt is None:
            return None
        # Python takes a datetime without a zone as local time, and respects its `fold`.
        shown = dt.replace(tzinfo=None)
        # Not `astimezone`: in the gap when clocks go forward, it uses the later offset.
        return shown - datetime.fromtimestamp(shown.timestamp(), UTC).replace(tzinfo=None)

    def dst(self, dt: datetime | None) -> None:
        """Return None: the system gives offsets only."""

    def tzname(self, dt: datetime | None) -> str | None:
        return "local" if dt is None else dt.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, dt: datetime) -> datetime:
        here = dt.replace(tzinfo=UTC).astimezone()
        shown = here.replace(tzinfo=self, fold=0)
        # Of two times with the same wall time, the one that `fold=0` does not mean is the second.
        return shown if shown.utcoffset() == here.utcoffset() else shown.replace(fold=1)

    def __repr__(self) -> str:
        return "local"


LOCAL = LocalZone()


def as_zone(given: Any) -> tzinfo:
    """Return the time zone for a name, an offset such as '+05:30', or a tzinfo.

    Names are those of the tz database, such as 'Europe/Paris'. 'UTC', 'local' (the zone of this
    computer) and offsets work everywhere, even without that database. Raises ValueError when the
    name is not known here, TypeError when `given` is not a zone.
    """
    # A zone of pytz is wrong when it is used like any other tzinfo; its name is right.
    name = getattr(given, "key", None) or getattr(given, "zone", None) or given
    if isinstance(name, str):
        return _named(name)
    if isinstance(given, tzinfo):
        return given
    raise TypeError(f"time zone {given!r}: give a name such as 'Europe/Paris', or a tzinfo")


def name_of(zone: tzinfo) -> str:
    """Return the text from which `as_zone` makes `zone`. Raises ValueError if there is none."""
    if zone is UTC:
        return "UTC"
    if isinstance(zone, LocalZone):
        return "local"
    if isinstance(zone, timezone):
        return datetime(2000, 1, 1, tzinfo=zone).isoformat()[19:]  # after the seconds
    key = getattr(zone, "key", None)
    if isinstance(key, str):
        return key
    raise ValueError(f"time zone {zone!r} has no name: give one such as 'Europe/Paris'")


def title_of(zone: tzinfo) -> str:
    """Return the name of `zone` for people, whatever kind of zone it is."""
    try:
        return name_of(zone)
    except ValueError:
        return str(zone)


def wall_time(seconds: float, zone: tzinfo) -> str:
    """Return a time (epoch seconds) as a clock in `zone` shows it: 2030-01-31 18:00:00."""
    try:
        shown = datetime.fromtimestamp(seconds, zone).replace(tzinfo=None)
        return shown.isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):  # beyond the years that Python knows
        return f"{seconds:g}"


def iso_time(seconds: float) -> str:
    """Return a time (epoch seconds) in ISO 8601, in UTC, to the millisecond: for programs."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):  # beyond the years that Python knows
        return f"{seconds:g}"


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
    except (LookupError, ValueError, OSError):  # unknown; not a path below the database; a folder
        raise ValueError(f"time zone {name!r} is not known here{_hint(name)}") from None


def _offset(text: str) -> tzinfo:
    try:
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{text}").tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise ValueError(f"time zone {text!r}: an offset is written as '+05:30'")
    return zone


def _hint(name: str) -> str:
    from zoneinfo import available_timezones

    known = available_timezones()
    if not known:
        return ": this computer has no database of time zones (pip install tzdata); UTC works"
    return did_you_mean(name, known)
