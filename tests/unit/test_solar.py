"""Events of the sun, against published times."""

from datetime import UTC, datetime, timedelta
from math import nan
from typing import Any

import pytest

from liteq.schedules import solar

EVENTS = (
    "dawn_astronomical",
    "dawn_nautical",
    "dawn_civil",
    "sunrise",
    "solar_noon",
    "sunset",
    "dusk_civil",
    "dusk_nautical",
    "dusk_astronomical",
)

# Published by the U.S. Naval Observatory, to the minute, and given here in UTC: Atlanta on
# 2009-09-06, Mauna Kea on 2003-07-15.
OBSERVATORY = [
    (33.8, -84.4, "dawn_civil", "2009-09-06 10:50"),
    (33.8, -84.4, "sunrise", "2009-09-06 11:15"),
    (33.8, -84.4, "solar_noon", "2009-09-06 17:36"),
    (33.8, -84.4, "sunset", "2009-09-06 23:56"),
    (33.8, -84.4, "dusk_civil", "2009-09-07 00:21"),
    (19.8167, -155.4833, "dawn_civil", "2003-07-15 15:27"),
    (19.8167, -155.4833, "sunrise", "2003-07-15 15:51"),
    (19.8167, -155.4833, "solar_noon", "2003-07-15 22:28"),
    (19.8167, -155.4833, "sunset", "2003-07-16 05:04"),
    (19.8167, -155.4833, "dusk_civil", "2003-07-16 05:28"),
]

# Calculated with PyEphem 4.2.1, which Celery uses: a place, and the day of the events in order.
PYEPHEM: list[tuple[float, float, list[str]]] = [
    (52.52, 13.405, ["2024-04-10"] * 9),
    (-0.25, -78.583, ["2025-09-22"] * 8 + ["2025-09-23"]),
    (-33.8688, 151.2093, ["2024-12-20"] * 4 + ["2024-12-21"] * 5),
    (21.3, -157.85, ["2026-06-21"] * 5 + ["2026-06-22"] * 4),
    (
        69.65,
        18.96,
        ["2024-12-01"] * 3 + ["2025-01-15", "2024-12-01", "2025-01-15"] + ["2024-12-01"] * 3,
    ),
]
TIMES = [
    "02:10:32 02:59:27 03:43:25 04:19:07 11:07:33 17:57:07 18:33:00 19:17:16 20:06:44",
    "09:55:00 10:19:00 10:42:59 11:03:39 17:06:53 23:10:07 23:30:47 23:54:47 00:18:46",
    "16:56:27 17:35:47 18:11:41 18:40:50 01:53:14 09:05:39 09:34:48 10:10:42 10:50:02",
    "14:25:05 14:55:52 15:25:30 15:50:23 22:33:18 05:16:13 05:41:06 06:10:44 06:41:31",
    "05:01:57 06:17:20 07:50:59 10:24:32 10:33:19 11:23:26 13:15:02 14:48:38 16:03:56",
]
CALCULATED = [
    (lat, lon, event, f"{day} {time}")
    for (lat, lon, days), times in zip(PYEPHEM, TIMES, strict=True)
    for event, day, time in zip(EVENTS, days, times.split(), strict=True)
]


@pytest.mark.parametrize(("lat", "lon", "event", "moment"), OBSERVATORY + CALCULATED)
def test_an_event_comes_at_its_published_time(
    lat: float, lon: float, event: str, moment: str
) -> None:
    expected = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    found = solar(event, lat, lon).next_after(expected - timedelta(hours=3))

    assert found is not None
    assert abs(found - expected) < timedelta(minutes=2)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("lon", [-180, -75.5, 0, 180])
def test_every_day_has_each_event_once(event: str, lon: float) -> None:
    daily = solar(event, 40, lon)
    moment = daily.next_after(datetime(2024, 1, 1, tzinfo=UTC))

    for _ in range(366):
        assert moment is not None
        following = daily.next_after(moment)
        assert following is not None
        assert abs(following - moment - timedelta(days=1)) < timedelta(minutes=3)
        assert daily.next_after(following - timedelta(microseconds=1)) == following
        moment = following


def test_events_of_a_day_come_in_their_order() -> None:
    midnight = datetime(2024, 4, 10, tzinfo=UTC)

    found = [solar(event, 50, 0).next_after(midnight) for event in EVENTS]

    assert found == sorted(found, key=str)
    assert found[-1] is not None
    assert found[-1].date() == midnight.date()


@pytest.mark.parametrize(
    ("event", "asked", "found"),
    [
        ("sunrise", "2024-05-25", "2024-07-26"),  # the sun stays up, then sets for minutes
        ("sunset", "2024-05-25", "2024-07-25"),
        ("sunrise", "2024-12-01", "2025-01-15"),  # and it stays down
        ("dusk_astronomical", "2024-05-01", "2024-09-16"),
        ("solar_noon", "2024-12-20", "2024-12-20"),
    ],
)
def test_polar_days_without_the_event_are_skipped(event: str, asked: str, found: str) -> None:
    tromso = solar(event, 69.65, 18.96)

    moment = tromso.next_after(datetime.fromisoformat(asked).replace(tzinfo=UTC))

    assert moment is not None
    # Where the sun only touches the horizon, a small error of its height makes a day.
    expected = datetime.fromisoformat(found).replace(hour=12, tzinfo=UTC)
    assert abs(moment - expected) < timedelta(days=1, hours=12)


def test_at_a_pole_the_sun_rises_once_a_year() -> None:
    pole = solar("sunrise", 90, 0)
    rises = []
    moment: datetime | None = datetime(2024, 1, 1, tzinfo=UTC)
    for _ in range(3):
        assert moment is not None
        moment = pole.next_after(moment)
        rises.append(moment)

    assert [f"{rise:%Y-%m}" for rise in rises if rise] == ["2024-03", "2025-03", "2026-03"]


def test_moments_are_whole_seconds() -> None:
    moment = solar("sunset", 1, 2).next_after(datetime(2024, 1, 1, tzinfo=UTC))

    assert moment is not None
    assert moment.microsecond == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("moonrise", 0, 0), "event 'moonrise': give one of dawn_astronomical, dawn_nautical"),
        (("sunset", 90.1, 0), "lat is 90.1: give degrees"),
        (("sunset", -120, 0), "lat is -120: give degrees"),
        (("sunset", nan, 0), "lat is nan: give degrees"),
        (("sunset", 0, 200), "lon is 200: give degrees"),
        (("sunset", 0, -180.5), "lon is -180.5: give degrees"),
    ],
)
def test_an_invalid_event_or_place_is_refused(arguments: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        solar(*arguments)


def test_its_repr_has_event_and_place() -> None:
    one = solar("sunset", -37.81753, 144.96715)

    assert repr(one) == "<solar: sunset at latitude -37.8175, longitude: 144.967>"
