"""Schedules in words."""

import pytest

from liteq.schedules import crontab, schedule, solar
from liteq.schedules.words import in_words

LINES = {
    "* * * * *": "every minute",
    "*/5 * * * *": "every 5 minutes",
    "0 7 * * mon-fri": "at 07:00 on Monday to Friday",
    "30 7,19 * * *": "at 07:30 and 19:30",
    "0 * * * *": "on the hour",
    "15 */2 * * *": "at 15 minutes past the hour of every 2 hours",
    "*/10 8-17 * * mon,wed": "every 10 minutes from 08:00 to 17:59 on Monday and Wednesday",
    "*/10 1,3 * * *": "every 10 minutes of the hours 1 and 3",
    "0 0 1 * *": "at 00:00 on day 1 of the month",
    "0 0 1-7 3,6 mon": "at 00:00 on day 1 to 7 of March and June on Monday",
    "5 9 * 12 sat,sun": "at 09:05 in December on Saturday and Sunday",
    "0 0 * * sun-tue": "at 00:00 on Monday, Tuesday and Sunday",
    "0 */6 * * *": "at 00:00, 06:00, 12:00 and 18:00",
}
SECONDS = {30: "every 30 seconds", 60: "every minute", 7200: "every 2 hours", 86400: "every day"}


@pytest.mark.parametrize(("line", "words"), LINES.items())
def test_a_crontab_is_told_in_words(line: str, words: str) -> None:
    assert in_words(crontab.from_string(line)) == words


def test_a_zone_is_told_where_it_is_the_schedules_own() -> None:
    assert in_words(crontab(0, 7, tz="Europe/Paris")) == "at 07:00 (Europe/Paris)"


@pytest.mark.parametrize(("seconds", "words"), [*SECONDS.items(), (0.5, "every 0.5 seconds")])
def test_an_interval_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert in_words(schedule(seconds)) == words


def test_an_event_of_the_sun_is_told_with_its_place() -> None:
    assert in_words(solar("dawn_civil", 48.9, 2.4)) == (
        "at dawn civil at latitude 48.9, longitude 2.4"
    )
