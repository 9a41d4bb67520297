"""What clocks on the wall show, and when: the only place that knows summer time.

A wall time is a naive datetime. It happens once on most days, never in the gap of a clock that is
put forward, and twice in the fold of one that is put back.
"""

from datetime import UTC, datetime, timedelta, tzinfo

_DAY = timedelta(days=1)  # no clock was ever put on or back by more
_SECOND = timedelta(seconds=1)


def utc(moment: datetime) -> datetime:
    """The moment in UTC. Raises ValueError for a datetime without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone: give an aware datetime")
    return moment.astimezone(UTC)


def wall(moment: datetime, zone: tzinfo) -> datetime:
    """What the clocks of `zone` show at `moment`."""
    return moment.astimezone(zone).replace(tzinfo=None)


def once(shown: datetime, zone: tzinfo) -> datetime:
    """The one moment that stands for a wall time.

    In the fold it is the first of the two; for a time in the gap, the first moment after the gap.
    """
    first, second = _offset(shown, zone, 0), _offset(shown, zone, 1)
    if first < second:
        return _end_of_gap(shown, zone, first, second)
    return (shown - first).replace(tzinfo=UTC)


def each_time(shown: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """All moments of a wall time, as somebody counts hours who does not touch the clock.

    In the fold these are both. A time in the gap is read from a clock that was not put forward,
    so that an hour after 01:30 comes the 02:30 that others call 03:30.
    """
    first, second = _offset(shown, zone, 0), _offset(shown, zone, 1)
    early = (shown - first).replace(tzinfo=UTC)
    return (early, (shown - second).replace(tzinfo=UTC)) if first > second else (early,)


def offsets_near(moment: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    """The smallest and the largest offset from UTC within a day of `moment`."""
    near = [
        (moment + away).astimezone(zone).utcoffset() or timedelta()
        for away in (-_DAY, timedelta(), _DAY)
    ]
    return min(near), max(near)


def _offset(shown: datetime, zone: tzinfo, fold: int) -> timedelta:
    # PEP 495: `fold=0` is the offset from before a gap or fold, `fold=1` the one from after it.
    return shown.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()


def _end_of_gap(shown: datetime, zone: tzinfo, before: timedelta, after: timedelta) -> datetime:
    """The moment at which the clock is put forward over `shown`, by halving: zones do not tell."""
    early = (shown - after).replace(tzinfo=UTC)  # the clock still shows less than `shown`
    late = (shown - before).replace(tzinfo=UTC)  # and now more
    while late - early > _SECOND:
        middle = early + (late - early) // (2 * _SECOND) * _SECOND
        if wall(middle, zone) > shown:
            late = middle
        else:
            early = middle
    return late
