"""Wall-clock times and the moments they stand for: the only place that knows summer time.

A wall time is a naive datetime. It happens once on most days, never in the gap when clocks go
forward, and twice in the fold when they go back.
"""

from datetime import UTC, datetime, timedelta, tzinfo

_DAY = timedelta(days=1)  # no clock was ever changed by more
_SECOND = timedelta(seconds=1)


def utc(moment: datetime) -> datetime:
    """Return `moment` in UTC. Raises ValueError for a datetime without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone: give an aware datetime")
    return moment.astimezone(UTC)


def wall(moment: datetime, zone: tzinfo) -> datetime:
    """Return the wall time in `zone` at `moment`."""
    return moment.astimezone(zone).replace(tzinfo=None)


def once(shown: datetime, zone: tzinfo) -> datetime:
    """Return the one moment that stands for a wall time.

    In the fold it is the first of the two; for a time in the gap, the first moment after the gap.
    """
    first, second = _offset(shown, zone, 0), _offset(shown, zone, 1)
    if first < second:
        return _end_of_gap(shown, zone, first, second)
    return (shown - first).replace(tzinfo=UTC)


def each_time(shown: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """Return all moments of a wall time, as they follow each other in real time.

    In the fold these are both. A time in the gap is read from a clock that did not go forward, so
    that an hour after 01:30 comes 02:30, which is 03:30 on other clocks.
    """
    first, second = _offset(shown, zone, 0), _offset(shown, zone, 1)
    early = (shown - first).replace(tzinfo=UTC)
    return (early, (shown - second).replace(tzinfo=UTC)) if first > second else (early,)


def offsets_near(moment: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    """Return the smallest and the largest offset from UTC within a day of `moment`."""
    near = [
        (moment + away).astimezone(zone).utcoffset() or timedelta()
        for away in (-_DAY, timedelta(), _DAY)
    ]
    return min(near), max(near)


def _offset(shown: datetime, zone: tzinfo, fold: int) -> timedelta:
    # PEP 495: `fold=0` is the offset from before a gap or fold, `fold=1` the one from after it.
    return shown.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()


def _end_of_gap(shown: datetime, zone: tzinfo, before: timedelta, after: timedelta) -> datetime:
    """Return the moment when clocks go forward over `shown`, by bisection: tzinfo does not tell."""
    early = (shown - after).replace(tzinfo=UTC)  # the wall time is before `shown`
    late = (shown - before).replace(tzinfo=UTC)  # and here after it
    while late - early > _SECOND:
        middle = early + (late - early) // (2 * _SECOND) * _SECOND
        if wall(middle, zone) > shown:
            late = middle
        else:
            early = middle
    return late
