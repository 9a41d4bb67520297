"""Waits between attempts."""

import logging

import pytest

from liteq.brokers.backoff import StoreBackoff
from liteq.exceptions import BrokerFull, BrokerUnavailable
from liteq.support.backoff import Backoff, full_jitter, no_jitter


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(factor=2, longest=20, jitter=no_jitter)

    assert [backoff.delay(n) for n in range(6)] == [2, 4, 8, 16, 20, 20]


def test_any_number_of_retries_has_a_wait() -> None:
    assert Backoff(jitter=no_jitter).delay(10**9) == 600


def test_jitter_is_applied_to_the_bounded_wait() -> None:
    asked = []

    def jitter(seconds: float) -> float:
        asked.append(seconds)
        return seconds / 2

    assert Backoff(1, 5, jitter).delay(10) == 2.5
    assert asked == [5]


def test_no_wait_is_negative() -> None:
    assert Backoff(jitter=lambda _: -1.0).delay(0) == 0


@pytest.mark.parametrize("seconds", [0.0, 1.0, 600.0])
def test_full_jitter_stays_within_the_wait(seconds: float) -> None:
    assert all(0 <= full_jitter(seconds) <= seconds for _ in range(100))


def test_each_fault_of_an_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    store = StoreBackoff(logging.getLogger("test"))
    for seconds in range(3):
        store.failed("write", BrokerUnavailable(f"locked by pid {seconds}"))
        store.failed("look", BrokerFull(f"the disk is full ({seconds} bytes left)"))
    store.succeeded("write")
    store.succeeded("look")
    store.failed("write", BrokerUnavailable("locked by pid 7"))

    assert [record.getMessage() for record in caplog.records] == [
        "the store fails, trying again: locked by pid 0",
        "the store fails, trying again: the disk is full (0 bytes left)",
        "the store works again",
        "the store fails, trying again: locked by pid 7",
    ]
