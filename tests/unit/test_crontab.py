"""Crontabs: the syntax of fields, and the times of firing, also when clocks change."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count, islice, takewhile
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteq.schedules import ParseException, crontab, crontab_parser

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LEAD = 25 * HOUR  # clocks may go forward by a day, so the day before a time matters


def firings(one: crontab, after: datetime) -> Iterator[datetime]:
    """Yield the moments after `after` at which `one` fires, in UTC."""
    fired = one.next_after(after)
    while fired is not None:
        yield fired
        fired = one.next_after(fired)


def first(one: crontab, after: str, many: int) -> list[str]:
    """Return the first firings after a wall time: day, time, and offset from UTC."""
    moment = datetime.fromisoformat(after).replace(tzinfo=one.zone)
    shown = (fired.astimezone(one.zone) for fired in islice(firings(one, moment), many))
    return [f"{each:%d %H:%M%z}"[:-2] for each in shown]


# fields


@pytest.mark.parametrize(
    ("spec", "numbers"),
    [
        ("*", range(24)),
        ("7", {7}),
        ("0,12", {0, 12}),
        (" 0, 12 ", {0, 12}),
        ("8-17", range(8, 18)),
        ("22-4", {22, 23, 0, 1, 2, 3, 4}),
        ("22-4/2", {22, 0, 2, 4}),
        ("*/3,8-10", {0, 3, 6, 8, 9, 10, 12, 15, 18, 21}),
        ("*/5", {0, 5, 10, 15, 20}),
        ("1-9/2", {1, 3, 5, 7, 9}),
        ("*/100", {0}),
        ("5-5", {5}),
    ],
)
def test_a_field_is_stars_numbers_ranges_and_steps(spec: str, numbers: Any) -> None:
    assert crontab_parser(24).parse(spec) == set(numbers)
    assert crontab(hour=spec).hour == set(numbers)


def test_numbers_that_begin_with_one_have_steps_from_one() -> None:
    assert crontab_parser(31, 1).parse("*/15") == {1, 16, 31}
    assert crontab_parser(12, 1).parse("11-2") == {11, 12, 1, 2}
    assert crontab_parser().parse("*") == set(range(60))


@pytest.mark.parametrize("spec", [3, " 3", {3}, [3], (3,), iter([3]), ["3"], range(3, 4)])
def test_a_field_is_given_as_a_number_a_text_or_several(spec: Any) -> None:
    assert crontab(minute=spec).minute == {3}


@pytest.mark.parametrize(
    ("spec", "days"),
    [
        ("sun", {0}),
        ("Sunday", {0}),
        ("mon-fri", {1, 2, 3, 4, 5}),
        ("thu,fri", {4, 5}),
        ("fri-mon", {5, 6, 0, 1}),
        (["mon", 3], {1, 3}),
    ],
)
def test_days_of_the_week_have_names(spec: Any, days: set[int]) -> None:
    assert crontab(day_of_week=spec).day_of_week == days


def test_months_have_names() -> None:
    assert crontab(month_of_year="jan-mar,september").month_of_year == {1, 2, 3, 9}


@pytest.mark.parametrize(
    ("field", "spec", "problem"),
    [
        ("minute", "", "a part is empty"),
        ("minute", [], "a part is empty"),
        ("minute", "1,,2", "a part is empty"),
        ("minute", "70", "70 is not from 0 to 59"),
        ("minute", 60, "60 is not from 0 to 59"),
        ("minute", "61-0", "61 is not from 0 to 59"),
        ("minute", -1, "'-1' is negative"),
        ("minute", "-20", "'-20' is negative"),
        ("minute", "1--2", "'-2' is negative"),
        ("minute", "*/", "a step is a number above 0, not ''"),
        ("minute", "*/0", "a step is a number above 0, not '0'"),
        ("minute", "1-5/x", "a step is a number above 0, not 'x'"),
        ("minute", "5/15", "a step goes with '\\*' or a range, not with '5'"),
        ("minute", "mon", "'mon' is no number"),
        ("minute", "*5", "'\\*5' is no number"),
        ("minute", 1.5, None),
        ("hour", "24", "24 is not from 0 to 23"),
        ("day_of_month", 0, "0 is not from 1 to 31"),
        ("day_of_month", 32, "32 is not from 1 to 31"),
        ("month_of_year", "0", "0 is not from 1 to 12"),
        ("month_of_year", "mo", "'mo' is no number, nor any of jan, feb, mar,"),
        ("day_of_week", "7", r"7 is not from 0 to 6 \(sunday is 0\)"),
        ("day_of_week", "fooday-barday", "'fooday' is no number, nor any of sun, mon"),
        ("day_of_week", "su", "'su' is no number"),
        ("hour", None, None),
        ("hour", object(), None),
    ],
)
def test_a_field_that_cannot_be_read_is_refused_by_name(
    field: str, spec: Any, problem: str | None
) -> None:
    expected = ParseException if problem else TypeError
    with pytest.raises(expected, match=f"^{field} .*{problem or 'give an int, a text'}"):
        crontab(**{field: spec})


@pytest.mark.parametrize(
    "dates", [(31, 4), ("31", "4,6,9,11"), (30, 2), ("30-31", "feb"), ({31}, {2, 4})]
)
def test_a_date_that_no_calendar_has_is_refused_when_it_is_defined(dates: Any) -> None:
    with pytest.raises(ParseException, match="never fires: no month it names has a day 3"):
        crontab(day_of_month=dates[0], month_of_year=dates[1])


def test_a_date_that_some_months_have_is_fine() -> None:
    thirty_first = crontab(0, 0, day_of_month=31, month_of_year="apr,may")

    assert first(thirty_first, "2030-01-01", 1) == ["31 00:00+00"]


# lines of cron


def test_a_line_has_the_fields_in_the_order_of_cron() -> None:
    one = crontab.from_string(" */5 8-17 1-7  jan mon-fri ", tz="Europe/Paris")

    assert one == crontab("*/5", "8-17", "mon-fri", "1-7", "jan", tz="Europe/Paris")
    assert one.expression == "*/5 8-17 1-7 jan mon-fri"
    assert repr(one) == "<crontab: */5 8-17 1-7 jan mon-fri (m/h/dM/MY/d) Europe/Paris>"


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@Annually", "0 0 1 1 *"),
    ],
)
def test_usual_lines_have_words(word: str, line: str) -> None:
    assert crontab.from_string(word) == crontab.from_string(line)


@pytest.mark.parametrize("line", ["", "* * * *", "* * * * * *", "@reboot", "hello"])
def test_a_line_of_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ParseException, match=r"write five fields .* or one of @yearly"):
        crontab.from_string(line)


# days


def test_a_day_fits_both_fields_as_in_celery() -> None:
    first_mondays = crontab(0, 9, day_of_week="mon", day_of_month="1-7")

    assert first(first_mondays, "2030-01-01", 3) == ["07 09:00+00", "04 09:00+00", "04 09:00+00"]


def test_leap_days_are_those_of_the_calendar() -> None:
    leap = crontab.from_string("0 0 29 2 *")
    begin = datetime(2095, 1, 1, tzinfo=UTC)

    assert [f.year for f in islice(firings(leap, begin), 3)] == [2096, 2104, 2108]


def test_a_leap_day_on_a_monday_is_found_decades_ahead() -> None:
    rare = crontab.from_string("0 0 29 2 mon")

    found = islice(firings(rare, datetime(2026, 1, 1, tzinfo=UTC)), 4)
    assert [f.date() for f in found] == [date(year, 2, 29) for year in (2044, 2072, 2112, 2140)]


def test_seconds_after_a_firing_the_next_is_a_whole_minute() -> None:
    late = datetime(2030, 1, 1, 12, 0, 59, 999999, tzinfo=UTC)

    assert crontab().next_after(late) == datetime(2030, 1, 1, 12, 1, tzinfo=UTC)
    assert crontab().next_after(late.replace(second=0, microsecond=0)) == late.replace(
        minute=1, second=0, microsecond=0
    )


# clocks that go forward and back


def test_a_time_in_the_gap_fires_at_the_first_moment_after_it() -> None:
    nightly = crontab(30, 2, tz="Europe/Paris")

    assert first(nightly, "2024-03-30", 3) == ["30 02:30+01", "31 03:00+02", "01 02:30+02"]


def test_several_times_in_one_gap_fire_once() -> None:
    often = crontab("*/10", 2, tz="Europe/Paris")

    assert first(often, "2024-03-31", 2) == ["31 03:00+02", "01 02:00+02"]


def test_a_time_that_comes_twice_fires_the_first_time_only() -> None:
    nightly = crontab(30, 2, tz="Europe/Paris")

    assert first(nightly, "2024-10-26", 3) == ["26 02:30+02", "27 02:30+02", "28 02:30+01"]


@pytest.mark.parametrize("day", ["2024-03-30T12:30", "2024-10-26T12:30"])
@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "America/Sao_Paulo"])
@pytest.mark.parametrize("hour", ["*", range(24), "0-23"])
def test_an_hourly_run_comes_every_real_hour(day: str, zone: str, hour: Any) -> None:
    hourly = crontab(30, hour, tz=zone)
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)

    found = islice(firings(hourly, begin), 40)

    assert list(found) == [begin + n * HOUR for n in range(1, 41)]


def test_every_second_hour_is_never_more_than_two_hours_away() -> None:
    even = crontab(30, "*/2", tz="Europe/Paris")

    spring = ["31 00:30+01", "31 03:30+02", "31 04:30+02"]
    autumn = ["27 00:30+02", "27 02:30+02", "27 02:30+01", "27 04:30+01"]
    assert first(even, "2024-03-31", 3) == spring
    assert first(even, "2024-10-27", 4) == autumn


def test_clocks_of_lord_howe_are_changed_by_half_an_hour() -> None:
    zone = "Australia/Lord_Howe"
    nightly, quarters = crontab(15, 2, tz=zone), crontab("*/15", tz=zone)

    assert first(nightly, "2024-10-06", 1) == ["06 02:30+11"]
    assert first(crontab(45, 1, tz=zone), "2024-04-07", 2) == ["07 01:45+11", "08 01:45+10"]
    begin = datetime(2024, 4, 6, 12, tzinfo=UTC)
    found = islice(firings(quarters, begin), 20)
    assert list(found) == [begin + n * timedelta(minutes=15) for n in range(1, 21)]


def test_days_of_sao_paulo_that_had_no_midnight() -> None:
    daily = crontab(0, 0, tz="America/Sao_Paulo")

    assert first(daily, "2018-11-03T12:00", 2) == ["04 01:00-02", "05 00:00-02"]
    # Clocks went back at midnight: 23:00 came twice on the 17th, midnight once.
    assert first(daily, "2018-02-17T12:00", 1) == ["18 00:00-03"]
    assert first(crontab(30, 23, tz="America/Sao_Paulo"), "2018-02-17T12:00", 2) == [
        "17 23:30-02",
        "18 23:30-03",
    ]


def test_the_day_that_samoa_lost() -> None:
    nine = crontab(0, 9, tz="Pacific/Apia")
    friday = crontab(0, 9, day_of_week="fri", tz="Pacific/Apia")

    assert first(nine, "2011-12-29", 3) == ["29 09:00-10", "31 00:00+14", "31 09:00+14"]
    assert first(friday, "2011-12-29", 2) == ["31 00:00+14", "06 09:00+14"]


def test_midnight_comes_twice_in_havana() -> None:
    daily = crontab(0, 0, tz="America/Havana")

    assert first(daily, "2024-11-02T12:00", 2) == ["03 00:00-04", "04 00:00-05"]


# against a simulation that reads the clock every minute


class Field(NamedTuple):
    """A field, as a crontab takes it and as a predicate of numbers."""

    spec: Any
    fits: Callable[[int], bool]


STAR = Field("*", lambda _: True)


def field(low: int, high: int) -> st.SearchStrategy[Field]:
    def steps(step: int) -> Field:
        return Field(f"*/{step}", lambda n: (n - low) % step == 0)

    def chosen(numbers: set[int]) -> Field:
        return Field(numbers, lambda n: n in numbers)

    def between(ends: tuple[int, int]) -> Field:
        begin, end = ends
        if begin <= end:
            return Field(f"{begin}-{end}", lambda n: begin <= n <= end)
        return Field(f"{begin}-{end}", lambda n: n >= begin or n <= end)

    number = st.integers(low, high)
    some = st.sets(number, min_size=1, max_size=4)
    return st.one_of(
        st.just(STAR),
        st.integers(1, high).map(steps),
        some.map(chosen),
        st.tuples(number, number).map(between),
    )


class Line(NamedTuple):
    """The fields of a crontab."""

    minute: Field
    hour: Field
    day_of_week: Field
    day_of_month: Field

    def fits(self, shown: datetime) -> bool:
        """Return whether this should fire at the wall time `shown`."""
        numbers = (shown.minute, shown.hour, shown.isoweekday() % 7, shown.day)
        return all(field.fits(number) for field, number in zip(self, numbers, strict=True))

    @property
    def counts_hours(self) -> bool:
        """Return whether it follows real time: hours with a star, or all of them."""
        return "*" in str(self.hour.spec) or all(self.hour.fits(n) for n in range(24))

    def crontab(self, zone: str) -> crontab:
        """Return the crontab under test."""
        days = (self.day_of_week.spec, self.day_of_month.spec)
        return crontab(self.minute.spec, self.hour.spec, *days, tz=zone)


days_of_week = st.just(STAR) | field(0, 6)
days_of_month = st.just(STAR) | field(1, 28)
lines = st.builds(Line, field(0, 59), field(0, 23), days_of_week, days_of_month)

ZONES = [
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",  # at 00:01 for some years
    "Antarctica/Troll",  # by two hours
    "Asia/Kolkata",
    "Asia/Tehran",
    "Australia/Lord_Howe",  # by half an hour
    "Europe/Paris",
    "Pacific/Apia",  # by a day, once
    "Pacific/Kwajalein",  # by a day, once
]


@cache
def changes(zone: str) -> list[datetime]:
    """Return the days from 1990 to 2036 before clocks changed, and one other day."""
    info = ZoneInfo(zone)
    days = [datetime(1990, 1, 1, tzinfo=UTC) + n * DAY for n in range(47 * 365)]
    offsets = [day.astimezone(info).utcoffset() for day in days]
    quiet = [datetime(2024, 2, 28, tzinfo=UTC)]
    return quiet + [day for day, a, b in zip(days, offsets, offsets[1:], strict=False) if a != b]


def simulated(line: Line, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """Return the firings after `begin` and up to `end`, by reading the clock every minute.

    A line that follows real time is matched against the wall time of each minute, and after
    clocks went forward also against the times that were skipped, one a minute. Any other line is
    matched against times that are new: each wall time counts when it is first shown or passed.
    """
    info = ZoneInfo(zone)
    fired: list[datetime] = []
    newest = (begin - LEAD).astimezone(info).replace(tzinfo=None)
    left_out: list[datetime] = []
    for n in count(1):
        moment = begin - LEAD + n * MINUTE
        if moment > end:
            return fired
        shown = moment.astimezone(info).replace(tzinfo=None)
        new = [newest + k * MINUTE for k in range(1, (shown - newest) // MINUTE + 1)]
        if line.counts_hours:
            left_out += new[:-1]
            seen = [shown, *left_out[:1]]
            del left_out[:1]
        else:
            seen = new
        newest = max(newest, shown)
        if moment > begin and any(line.fits(each) for each in seen):
            fired.append(moment)
    raise AssertionError


@given(lines, st.sampled_from(ZONES), st.data())
def test_it_fires_as_a_simulation_of_the_clock_does(
    line: Line, zone: str, data: st.DataObject
) -> None:
    day = data.draw(st.sampled_from(changes(zone)))
    begin = day + data.draw(st.integers(-36 * 60, 36 * 60)) * MINUTE
    end = begin + data.draw(st.integers(60, 30 * 60)) * MINUTE

    found = takewhile(lambda fired: fired <= end, firings(line.crontab(zone), begin))

    assert list(found) == simulated(line, zone, begin, end)


@given(
    st.integers(1, 31),
    st.sampled_from([STAR, Field("jan-mar", {1, 2, 3}.__contains__), Field("2", {2}.__contains__)]),
    field(0, 6),
    st.dates(date(1950, 1, 1), date(2100, 1, 1)),
)
def test_rare_days_are_those_of_the_calendar(
    day_of_month: int, month: Field, weekday: Field, begin: date
) -> None:
    def fits(day: date) -> bool:
        same = day.day == day_of_month
        return same and month.fits(day.month) and weekday.fits(day.isoweekday() % 7)

    if month.spec == "2" and day_of_month > 29:
        return
    one = crontab(0, 0, weekday.spec, day_of_month, month.spec)
    start = datetime(begin.year, begin.month, begin.day, tzinfo=UTC)

    found = one.next_after(start)

    days = (begin + n * DAY for n in count(1))
    assert found is not None
    assert found.date() == next(day for day in days if fits(day))
