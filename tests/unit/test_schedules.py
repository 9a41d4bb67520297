"""All schedules; intervals; schedules as text."""

import math
import pickle
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteq.schedules import (
    BaseSchedule,
    ParseException,
    crontab,
    from_text,
    maybe_schedule,
    schedule,
    solar,
    to_text,
)

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
ZONES = st.sampled_from([None, "UTC", "Europe/Paris", "Pacific/Apia", "+05:30", "-00:00:10"])


def at(moment: datetime) -> Any:
    return lambda: moment


def intervals() -> st.SearchStrategy[schedule]:
    longest = timedelta(days=36525)
    lengths = st.timedeltas(min_value=timedelta(microseconds=1), max_value=longest)
    return st.builds(schedule, lengths, st.booleans(), tz=ZONES)


def fields(first: int, last: int) -> st.SearchStrategy[Any]:
    numbers = st.integers(first, last)
    return st.one_of(
        st.just("*"),
        numbers,
        st.builds("*/{}".format, st.integers(1, 70)),
        st.builds("{}-{}/{}".format, numbers, numbers, st.integers(1, 9)),
        st.sets(numbers, min_size=1, max_size=5),
        st.lists(numbers, min_size=1, max_size=5),
    )


def crontabs() -> st.SearchStrategy[crontab]:
    days = st.just("*") | st.integers(1, 28) | st.builds("{}-31".format, st.integers(1, 29))
    columns = (fields(0, 59), fields(0, 23), fields(0, 6), days, fields(1, 12))
    return st.builds(crontab, *columns, tz=ZONES)


def solars() -> st.SearchStrategy[solar]:
    events = st.sampled_from(["sunrise", "solar_noon", "dusk_astronomical"])
    return st.builds(solar, events, st.floats(-90, 90), st.floats(-180, 180))


every_kind = given(intervals() | crontabs() | solars())


@every_kind
def test_a_schedule_is_the_same_after_text_and_after_pickle(one: BaseSchedule) -> None:
    for other in (from_text(to_text(one)), pickle.loads(pickle.dumps(one))):
        assert other == one
        assert hash(other) == hash(one)
        assert repr(other) == repr(one)
        assert to_text(other) == to_text(one)
        assert other.next_after(NOON) == one.next_after(NOON)


@every_kind
def test_the_next_moment_is_later_and_in_utc_and_the_first(one: BaseSchedule) -> None:
    following = one.next_after(NOON)

    assert following is not None
    assert following > NOON
    assert following.tzinfo is UTC
    if not isinstance(one, schedule):  # intervals count from the given moment
        assert one.next_after(following - timedelta(microseconds=1)) == following
        assert one.next_after(NOON + (following - NOON) / 2) == following


@pytest.mark.parametrize("one", [schedule(5), crontab(), solar("sunset", 0, 0)])
def test_a_moment_without_a_zone_is_refused(one: BaseSchedule) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        one.next_after(NOON.replace(tzinfo=None))


@pytest.mark.parametrize("one", [schedule(86400, relative=True), schedule(5), crontab()])
def test_a_schedule_does_not_fire_after_the_end_of_the_calendar(one: BaseSchedule) -> None:
    end = datetime.max.replace(tzinfo=UTC)

    assert one.next_after(end) is None
    assert one.remaining_estimate(end) == timedelta.max


def test_a_schedule_fires_on_the_first_day_of_the_calendar() -> None:
    first = datetime.min.replace(tzinfo=UTC)

    assert crontab(tz="Pacific/Apia").next_after(first) is not None
    assert schedule(1).next_after(first) == first + timedelta(seconds=1)


# Celery's methods


@pytest.mark.parametrize("one", [schedule(60), crontab()])
def test_a_schedule_is_due_when_its_next_moment_has_come(one: BaseSchedule) -> None:
    one.nowfun = at(NOON)

    assert one.is_due(NOON - timedelta(seconds=60)) == (True, 60)
    assert one.is_due(NOON - timedelta(days=60)) == (True, 60)
    assert one.is_due(NOON) == (False, 60)
    assert one.remaining_estimate(NOON - timedelta(seconds=90)).total_seconds() in {-30, -60}


def test_the_results_have_celerys_names() -> None:
    state = schedule(60, nowfun=at(NOON)).is_due(NOON - timedelta(seconds=20))

    assert not state.is_due
    assert state.next == 40


def test_a_last_run_without_a_zone_is_in_utc() -> None:
    one = crontab(minute=30, nowfun=at(NOON.replace(tzinfo=None)), tz="+05:30")

    assert one.is_due(NOON.replace(tzinfo=None)) == (False, 3600)
    assert one.remaining_delta(NOON.replace(tzinfo=None)) == (NOON, timedelta(hours=1), NOON)


def test_without_a_clock_of_its_own_a_schedule_uses_that_of_the_app_or_the_system() -> None:
    app = SimpleNamespace(now=at(NOON), timezone=PARIS)

    assert schedule(60, app=app).now() == NOON
    assert abs(schedule(60).now() - datetime.now(UTC)) < timedelta(minutes=1)


# zones


def test_a_zone_of_its_own_comes_first_then_that_of_the_app() -> None:
    app: Any = SimpleNamespace(timezone=PARIS)
    nine = crontab(minute=0, hour=9)

    assert nine.zone is UTC
    assert crontab(minute=0, hour=9, app=app).zone is PARIS
    assert crontab(minute=0, hour=9, app=app, tz="Asia/Tokyo").zone == ZoneInfo("Asia/Tokyo")
    assert nine.in_zone("Europe/Paris").next_after(NOON) == NOON + timedelta(hours=20)
    assert nine.zone is UTC
    assert nine.in_zone("Asia/Tokyo").in_zone(PARIS).zone == ZoneInfo("Asia/Tokyo")


def test_a_schedule_that_needs_no_zone_has_none() -> None:
    assert schedule(5).in_zone(PARIS) == schedule(5, tz=PARIS) == schedule(5)
    assert solar("sunset", 1, 2).in_zone(PARIS) == solar("sunset", 1, 2)
    assert schedule(5, relative=True).in_zone(PARIS) != schedule(5, relative=True)


# intervals


@pytest.mark.parametrize("every", [30, 30.0, timedelta(seconds=30)])
def test_an_interval_is_seconds_or_a_timedelta(every: Any) -> None:
    assert schedule(every).next_after(NOON) == NOON + timedelta(seconds=30)
    assert schedule(every).seconds == 30


def test_an_interval_follows_real_time_when_clocks_are_changed() -> None:
    before = datetime(2024, 3, 31, 0, 30, tzinfo=PARIS)

    assert schedule(86400, tz=PARIS).next_after(before) == before.astimezone(UTC) + timedelta(1)


@pytest.mark.parametrize("every", [0, -1, math.nan, math.inf, 1e-9, 1e10, timedelta(days=40000)])
def test_an_invalid_interval_is_refused(every: Any) -> None:
    with pytest.raises(ValueError, match="run_every is "):
        schedule(every)


@pytest.mark.parametrize(
    ("every", "following"),
    [
        (timedelta(seconds=0.25), "10:59:30.750000"),
        (timedelta(seconds=5.5), "10:59:36"),
        (timedelta(minutes=2), "11:01:00"),
        (timedelta(minutes=90), "12:00:00"),
        (timedelta(days=1, hours=2), "00:00:00"),
    ],
)
def test_a_relative_interval_is_rounded_to_its_unit(every: timedelta, following: str) -> None:
    moment = datetime(2030, 1, 31, 10, 59, 30, 500000, tzinfo=UTC)

    found = schedule(every, relative=True).next_after(moment)

    assert found is not None
    assert found.time().isoformat() == following


def test_relative_days_begin_at_midnight_of_the_zone_however_long_they_are() -> None:
    daily = schedule(86400, relative=True, tz="Europe/Paris")
    moment = datetime(2024, 10, 26, 12, tzinfo=PARIS)

    for day in (27, 28, 29):  # the 27th has 25 hours
        following = daily.next_after(moment)
        assert following is not None
        assert following.astimezone(PARIS) == datetime(2024, 10, day, tzinfo=PARIS)
        moment = following


def test_a_relative_day_without_a_midnight_starts_at_its_first_moment() -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    daily = schedule(86400, relative=True, tz=zone)

    begin = daily.next_after(datetime(2018, 11, 3, 12, tzinfo=zone))

    assert begin == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert begin.astimezone(zone).hour == 1


@given(
    st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=400)),
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    ZONES,
)
def test_a_relative_interval_never_fires_at_the_moment_itself(
    every: timedelta, moment: datetime, tz: Any
) -> None:
    following = schedule(every, relative=True, tz=tz).next_after(moment)

    assert following is not None
    assert following > moment


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1.00 second"),
        (30, "30.00 seconds"),
        (90, "1.50 minutes"),
        (3600, "1.00 hour"),
        (86400 * 7, "7.00 days"),
        (0.5, "0.50 seconds"),
    ],
)
def test_an_interval_in_words(seconds: float, words: str) -> None:
    assert schedule(seconds).human_seconds == words
    assert repr(schedule(seconds)) == f"<freq: {words}>"


# equality


def test_equal_schedules_fire_alike_and_others_differ() -> None:
    different: list[Any] = [
        schedule(10),
        schedule(12),
        schedule(10, relative=True),
        schedule(10, relative=True, tz="Asia/Tokyo"),
        crontab(),
        crontab(tz="Asia/Tokyo"),
        crontab(minute=1),
        crontab(hour="*/2"),
        crontab(hour="0-22/2"),  # differs where an hour comes twice
        crontab(day_of_week=1),
        crontab(day_of_month=1),
        crontab(month_of_year=1),
        solar("sunset", 1, 2),
        solar("sunrise", 1, 2),
        solar("sunset", 1, 3),
        object(),
    ]

    assert len(set(different)) == len(different)
    assert (
        crontab(day_of_week="1, 2") == crontab(day_of_week="mon-tue") == crontab("*", "*", {1, 2})
    )
    assert crontab(hour="*") == crontab(hour=range(24)) == crontab(hour="*/1")


def test_an_interval_equals_its_timedelta() -> None:
    tenth: Any = schedule(10)

    assert tenth == timedelta(seconds=10)
    assert hash(tenth) == hash(timedelta(seconds=10))
    assert tenth != timedelta(seconds=11)
    assert schedule(10, relative=True) != timedelta(seconds=10)


# subclasses of users


class Sundays(BaseSchedule):
    def next_after(self, moment: datetime) -> datetime:
        return moment + timedelta(days=7 - moment.isoweekday() % 7)


def test_a_subclass_needs_only_next_after() -> None:
    one = Sundays(nowfun=at(NOON))  # a Thursday

    assert one.is_due(NOON) == (False, 3 * 86400)
    assert one != Sundays()
    assert one == one  # noqa: PLR0124
    assert maybe_schedule(one) is one


def test_a_subclass_without_next_after_is_a_clear_error() -> None:
    with pytest.raises(NotImplementedError, match="Silent does not say when it fires"):
        type("Silent", (BaseSchedule,), {})().next_after(NOON)


def test_a_subclass_has_no_text() -> None:
    with pytest.raises(TypeError, match="cannot be written as text: only crontab, schedule, solar"):
        to_text(Sundays())


# text and entries


def test_the_text_can_be_read_by_people() -> None:
    lines = {
        '{"crontab": "*/5 8-17 * * mon-fri", "tz": "Europe/Paris"}': crontab(
            "*/5", "8-17", "mon-fri", tz="Europe/Paris"
        ),
        '{"every": 30.0}': schedule(30),
        '{"every": 86400.0, "relative": true, "tz": "+05:30"}': schedule(
            86400, relative=True, tz=timezone(timedelta(hours=5.5))
        ),
        '{"solar": "sunset", "lat": -37.81753, "lon": 144.96715}': solar(
            "sunset", -37.81753, 144.96715
        ),
    }

    for text, one in lines.items():
        assert to_text(one) == text
        assert from_text(text) == one
    assert from_text('{"tz": "UTC", "crontab": "@daily"}') == crontab(0, 0, tz="UTC")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "[]",
        "null",
        '"every"',
        "{}",
        '{"every": "5"}',
        '{"every": 0}',
        '{"every": 5, "nowfun": 1}',
        '{"crontab": 5}',
        '{"crontab": "61 * * * *"}',
        '{"crontab": "* * * * *", "tz": "Mars/Olympus"}',
        '{"solar": "sunset", "lat": 91, "lon": 0}',
        '{"solar": "sunset"}',
        '{"cron": "* * * * *"}',
    ],
)
def test_a_text_that_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no schedule: give a JSON object with one of"):
        from_text(text)


def test_an_entry_names_seconds_a_timedelta_or_a_schedule() -> None:
    assert maybe_schedule(None) is None
    assert maybe_schedule(5) == schedule(5)
    assert maybe_schedule(timedelta(hours=1), relative=True) == schedule(3600, relative=True)
    assert maybe_schedule(crontab(minute=1)) == crontab(minute=1)


def test_an_entry_of_an_app_has_its_zone_and_two_apps_may_share_a_schedule() -> None:
    shared = crontab(0, 9)
    app: Any = SimpleNamespace(timezone=PARIS)
    paris = maybe_schedule(shared, app=app)

    assert paris is not None
    assert paris.zone is PARIS
    assert shared.zone is UTC


@pytest.mark.parametrize("wrong", ["* * * * *", [], object()])
def test_an_entry_that_names_no_schedule_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"give seconds, .* crontab.from_string"):
        maybe_schedule(wrong)


def test_what_cannot_be_read_is_a_value_error() -> None:
    assert issubclass(ParseException, ValueError)


@given(
    start=st.floats(0, 365 * 86400.0).map(lambda s: NOON + timedelta(seconds=s)),
    hours=st.floats(0, 2000),
    which=st.sampled_from(
        [
            crontab.from_string("*/7 8-9 * * *", tz="America/Santiago"),
            crontab.from_string("30 2 * * *", tz="Europe/Paris"),
            crontab.from_string("0 * * * *", tz="Australia/Lord_Howe"),
            crontab.from_string("0 0 29 2 *"),
            schedule(3600),
            schedule(7000.123),
            schedule(timedelta(hours=5), relative=True),
            schedule(timedelta(days=2), relative=True, tz="America/Santiago"),
            solar("sunset", 48.85, 2.35),
        ]
    ),
)
def test_the_last_moment_is_the_one_that_a_walk_finds(
    start: datetime, hours: float, which: BaseSchedule
) -> None:
    moment = which.next_after(start)
    assert moment is not None
    until = moment + timedelta(hours=hours)
    walked = moment
    while (following := which.next_after(walked)) is not None and following <= until:
        walked = following

    assert which.last_until(moment, until) == walked


def test_the_last_moment_of_a_long_time_is_found_at_once() -> None:
    moment = datetime(2000, 1, 1, tzinfo=UTC)
    until = datetime(2030, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)
    second = timedelta(seconds=1)

    assert schedule(second).last_until(moment, until) == until.replace(microsecond=0)
    assert crontab().last_until(moment, until) == until.replace(microsecond=0)
    assert schedule(second).last_until(moment, moment - second) == moment
