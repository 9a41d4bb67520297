"""Time zones by name."""

import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from liteq.support.zones import LOCAL, as_zone, name_of
from tests.architecture.source import PACKAGE

PARIS = ZoneInfo("Europe/Paris")
INDIA = timezone(timedelta(hours=5, minutes=30))


class Nameless(tzinfo):
    """A zone that has no name."""

    def utcoffset(self, _: datetime | None, /) -> timedelta:
        return timedelta(minutes=9)

    def dst(self, _: datetime | None, /) -> timedelta:
        return timedelta()

    def tzname(self, _: datetime | None, /) -> str:
        return "local mean time"


class Pytz(Nameless):
    """A zone of pytz, which is local mean time unless pytz's own methods are used."""

    zone = "Europe/Paris"


@pytest.mark.parametrize(
    ("given", "zone"),
    [
        ("Europe/Paris", PARIS),
        (PARIS, PARIS),
        (Pytz(), PARIS),
        ("UTC", UTC),
        ("utc", UTC),
        (ZoneInfo("UTC"), UTC),
        ("+05:30", INDIA),
        (INDIA, INDIA),
        ("-00:00:01.5", timezone(timedelta(seconds=-1.5))),
    ],
)
def test_a_zone_is_a_name_an_offset_or_a_tzinfo(given: Any, zone: tzinfo) -> None:
    assert as_zone(given) == zone
    assert as_zone(name_of(zone)) == zone


@pytest.mark.parametrize("name", ["Europe/Pariss", "Europe", "../etc/passwd", "", "+25:00", "+x"])
def test_a_zone_that_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        as_zone(name)


def test_the_error_suggests_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'Europe/Paris'\?"):
        as_zone("Europe/Pariss")


def test_another_type_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="time zone 5: give a name"):
        as_zone(5)


def test_a_zone_without_a_name_has_no_text() -> None:
    with pytest.raises(ValueError, match="has no name"):
        name_of(as_zone(Nameless()))


@pytest.fixture(params=["Europe/Paris", "Australia/Lord_Howe", "America/Sao_Paulo"])
def here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    """Set the time zone of this process."""
    if not hasattr(time, "tzset"):
        pytest.skip("here a process cannot choose its time zone")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield ZoneInfo(request.param)
    monkeypatch.undo()
    time.tzset()


def test_local_time_has_the_summer_time_of_this_computer(here: ZoneInfo) -> None:
    moment = datetime(2017, 1, 1, tzinfo=UTC)
    while moment.year == 2017:  # the clocks are changed within this year in all of them
        there, local = moment.astimezone(here), moment.astimezone(LOCAL)
        assert local.replace(tzinfo=None, fold=local.fold) == there.replace(tzinfo=None)
        assert (local.utcoffset(), local.fold) == (there.utcoffset(), there.fold), moment
        assert local.astimezone(UTC) == moment
        moment += timedelta(minutes=15)


def test_wall_times_in_a_gap_or_a_fold_are_read_as_in_any_zone(here: ZoneInfo) -> None:
    shown = datetime(2017, 1, 1)  # noqa: DTZ001 - it is given one below
    while shown.year == 2017:
        for fold in (0, 1):
            theirs, ours = (shown.replace(tzinfo=zone, fold=fold) for zone in (here, LOCAL))
            assert ours.utcoffset() == theirs.utcoffset(), ours
        shown += timedelta(minutes=30)


def test_local_time_has_a_name_and_can_be_pickled() -> None:
    assert name_of(LOCAL) == "local"
    assert as_zone("local") is LOCAL
    assert name_of(pickle.loads(pickle.dumps(LOCAL))) == "local"


WITHOUT_A_DATABASE = """
import sys, zoneinfo
sys.modules["tzdata"] = None
zoneinfo.reset_tzpath(to=[])
from datetime import UTC, datetime
from liteq.schedules import crontab
noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
print(crontab(minute=0, tz="UTC").next_after(noon), crontab(minute=0, tz="+01:00").next_after(noon))
try:
    crontab(tz="Europe/Paris")
except ValueError as exc:
    print(exc)
"""


def test_without_a_database_of_zones_utc_works_and_the_error_names_the_cure() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_DATABASE],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )

    fired, error = done.stdout.splitlines()
    assert fired == "2030-01-01 13:00:00+00:00 2030-01-01 13:00:00+00:00"
    assert error.startswith("time zone 'Europe/Paris' is not known here")
    assert "pip install tzdata" in error
