"""Times that callers may give, and times that are refused."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from liteq.exceptions import InvalidTaskError
from liteq.sending.eta import check_limits, due_at, expires_at, zone_of
from liteq.support.zones import LOCAL

NOW = 1_000_000_000.0
EARLIEST = datetime.min  # noqa: DTZ901 - just that
MOMENT = datetime(2030, 1, 31, 18, tzinfo=UTC)


def test_a_countdown_is_seconds_from_now() -> None:
    assert due_at(2.5, None, NOW) == NOW + 2.5
    assert due_at(timedelta(minutes=1), None, NOW) == NOW + 60


def test_nothing_given_is_at_once_and_never_expires() -> None:
    assert due_at(None, None, NOW) is None
    assert expires_at(None, NOW) is None


@pytest.mark.parametrize("eta", [MOMENT, MOMENT.isoformat(), "2030-01-31T18:00:00Z"])
def test_an_eta_is_a_datetime_or_iso_8601(eta: Any) -> None:
    assert due_at(None, eta, NOW) == MOMENT.timestamp()


def test_an_offset_counts_and_a_datetime_without_one_is_local_time() -> None:
    east = datetime(2030, 1, 31, 20, tzinfo=timezone(timedelta(hours=2)))
    naive = MOMENT.astimezone().replace(tzinfo=None)

    assert due_at(None, east, NOW) == MOMENT.timestamp()
    assert due_at(None, naive, NOW) == MOMENT.timestamp()


def test_what_is_past_is_due() -> None:
    assert due_at(-5, None, NOW) == NOW - 5


def test_expiry_is_seconds_from_now_or_a_moment() -> None:
    assert expires_at(10, NOW) == NOW + 10
    assert expires_at(timedelta(days=1), NOW) == NOW + 86400
    assert expires_at(MOMENT, NOW) == MOMENT.timestamp()


@pytest.mark.parametrize(
    "seconds", [math.nan, math.inf, -math.inf, 1e12, timedelta.max, "5", True, [], MOMENT]
)
def test_what_is_no_number_of_seconds_is_refused(seconds: Any) -> None:
    with pytest.raises(InvalidTaskError, match="countdown is "):
        due_at(seconds, None, NOW)


@pytest.mark.parametrize("eta", ["soon", 5, EARLIEST, object()])
def test_what_is_no_moment_is_refused(eta: Any) -> None:
    with pytest.raises(InvalidTaskError, match="eta is "):
        due_at(None, eta, NOW)


@pytest.mark.parametrize(("hard", "soft"), [(None, None), (5, None), (None, 5), (5, 5), (5.5, 1)])
def test_limits_are_positive_and_the_soft_one_is_not_the_longer(hard: Any, soft: Any) -> None:
    check_limits(hard, soft)


@pytest.mark.parametrize(("hard", "soft"), [(0, None), (None, -1), (math.nan, None), ("5", None)])
def test_a_limit_that_is_none_is_refused(hard: Any, soft: Any) -> None:
    with pytest.raises(ValueError, match="time_limit is "):
        check_limits(hard, soft)


def test_a_soft_limit_beyond_the_hard_one_is_refused_in_the_words_of_celery() -> None:
    with pytest.raises(
        ValueError, match=r"^soft_time_limit must be less than or equal to time_limit$"
    ):
        check_limits(5, 6)


def test_the_zone_of_the_settings() -> None:
    assert zone_of(None, True) is UTC
    assert zone_of("utc", False) is UTC
    assert zone_of(None, False) is LOCAL
    assert zone_of(timezone.min, True) is timezone.min
