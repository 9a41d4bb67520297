"""Modules with Celery's names that programs import beside the API itself."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from liteq import platforms, utils
from liteq.local import Proxy
from liteq.utils import functional, time


def test_a_backoff_doubles_up_to_its_maximum() -> None:
    interval = time.get_exponential_backoff_interval

    assert [interval(2, n, 12) for n in range(4)] == [2, 4, 8, 12]
    assert 0 <= interval(2, 3, 12, full_jitter=True) <= 12


def test_times_are_converted_as_celery_does() -> None:
    noon = datetime(2026, 7, 1, 12)  # noqa: DTZ001 - it is about these

    assert time.maybe_timedelta(30) == timedelta(seconds=30)
    assert time.maybe_timedelta(None) is None
    assert time.maybe_iso8601("2026-07-01T12:00:00") == noon
    assert time.is_naive(noon)
    assert time.to_utc(noon) == noon.replace(tzinfo=UTC)
    assert time.make_aware(noon, "+02:00") == noon.replace(tzinfo=UTC) - timedelta(hours=2)
    assert time.maybe_make_aware(noon).tzinfo is UTC
    assert time.localize(time.to_utc(noon), "+02:00").hour == 14
    assert time.timezone.get_timezone("UTC") is UTC


def test_the_time_that_remains_can_be_rounded_to_the_unit() -> None:
    start = datetime(2026, 7, 1, 12, 34, 56, tzinfo=UTC)
    now = start + timedelta(minutes=10)

    assert time.remaining(start, timedelta(hours=1), now) == timedelta(minutes=50)
    rounded = time.remaining(start, timedelta(hours=1), now, relative=True)
    assert now + rounded == datetime(2026, 7, 1, 13, tzinfo=UTC)


def test_helpers_for_lists() -> None:
    def numbers() -> Iterator[int]:
        yield from range(5)

    assert list(functional.chunks(numbers(), 2)) == [[0, 1], [2, 3], [4]]
    assert functional.first(lambda n: n > 2, numbers()) == 3
    assert functional.first(None, [None, 0, 1]) == 0
    assert functional.maybe_list("ab") == ["ab"]
    assert functional.maybe_list(["ab"]) == ["ab"]
    assert functional.maybe_list(None) is None
    assert functional.padlist(["a"], 3, "-") == ["a", "-", "-"]
    assert list(functional.uniq([1, 2, 1])) == [1, 2]
    assert functional.dictfilter({"a": 1, "b": None}, c=None, d=2) == {"a": 1, "d": 2}


def test_helpers_for_functions() -> None:
    def two(x: int, y: int) -> None: ...
    def any_keyword(x: int, **kwargs: int) -> None: ...

    assert functional.fun_takes_argument("y", two)
    assert not functional.fun_takes_argument("z", two)
    assert functional.fun_takes_argument("z", two, position=2)
    assert functional.fun_accepts_kwargs(any_keyword)
    assert not functional.fun_accepts_kwargs(two)


@pytest.fixture
def _signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_signals_as_before")
def test_signals_are_handled_by_name() -> None:
    def handler(*_: object) -> None: ...

    platforms.signals["TERM"] = handler
    assert signal.getsignal(signal.SIGTERM) is handler
    platforms.signals.ignore("SIGTERM")
    assert platforms.signals["TERM"] is signal.SIG_IGN
    platforms.signals.reset("TERM")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert platforms.signals.signum("TERM") == signal.SIGTERM
    assert platforms.signal_name(signal.SIGTERM) == "TERM"
    assert not platforms.signals.supported("NOSUCH")
    platforms.signals["NOSUCH"] = handler  # nothing happens


def test_errors_of_the_system_are_ignored_by_name() -> None:
    with platforms.ignore_errno("ENOENT"):
        open("/no/such/file")  # noqa: PTH123, SIM115
    with pytest.raises(FileNotFoundError), platforms.ignore_errno("EPERM"):
        open("/no/such/file")  # noqa: PTH123, SIM115


def test_a_proxy_stands_for_what_it_finds_at_each_use() -> None:
    found = [{"a": 1}]
    proxy = Proxy(lambda: found[-1])

    assert proxy == {"a": 1}
    found.append({"b": 2})
    assert list(proxy.keys()) == ["b"]


def test_the_title_of_the_process_is_that_of_celery() -> None:
    assert platforms.set_process_title("mine") == "[mine]"
    assert platforms.set_process_title("mine", "of Ann") == "[mine] of Ann"


def test_what_programs_import_of_celery_utils_is_there() -> None:
    assert utils.gen_unique_id() != utils.uuid()
    assert utils.maybe_list("a") == ["a"]
    assert list(utils.chunks(iter("abc"), 2)) == [["a", "b"], ["c"]]
