"""Coroutines that are interrupted and ended where they wait."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from liteq.exceptions import SoftTimeLimitExceeded
from liteq.support.driving import Driver, within

SOON = 20.0
Work = Callable[[], Awaitable[Any]]


def driven(work: Any, then: Callable[[Driver], object]) -> Any:
    """Return what `work` returns, if `then` is done with its driver while it waits."""

    async def main() -> Any:
        driver = Driver()
        task = asyncio.ensure_future(drive(driver))
        await asyncio.sleep(0.01)
        then(driver)
        return await asyncio.wait_for(task, SOON)

    async def drive(driver: Driver) -> Any:
        return await driver.drive(work)

    return asyncio.run(main())


async def waits(log: list[str]) -> str:
    try:
        await asyncio.sleep(SOON)
    except asyncio.CancelledError:
        log.append("cancelled")
        raise
    return "done"


async def catches(log: list[str], times: int = 1) -> str:
    for _ in range(times):
        try:
            await asyncio.sleep(SOON)
        except asyncio.CancelledError:
            log.append("cancelled")
    return "went on"


def test_an_interruption_is_raised_once_where_it_waits() -> None:
    class Interrupted(asyncio.CancelledError):
        pass

    async def work() -> str:
        try:
            await asyncio.sleep(SOON)
        except Interrupted:
            await asyncio.sleep(0.01)
        return "done"

    assert driven(work(), lambda driver: driver.interrupt(Interrupted())) == "done"


def test_a_coroutine_that_is_told_to_end_is_cancelled() -> None:
    log: list[str] = []
    with pytest.raises(asyncio.CancelledError):
        driven(waits(log), lambda driver: driver.end("overdue"))
    assert log == ["cancelled"]


def test_the_first_kind_of_end_counts_and_nothing_interrupts_it_then() -> None:
    log: list[str] = []
    drivers: list[Driver] = []

    def then(driver: Driver) -> None:
        drivers.append(driver)
        driver.end("overdue")
        driver.end("terminated")
        driver.interrupt(RuntimeError())

    assert driven(catches(log), then) == "went on"
    assert drivers[0].ended_as == "overdue"
    assert log == ["cancelled"]


def test_one_that_catches_its_cancellation_is_left_where_it_waits_next() -> None:
    log: list[str] = []

    def then(driver: Driver) -> None:
        driver.end("overdue")
        asyncio.get_running_loop().call_later(0.01, driver.abandon)

    with pytest.raises(asyncio.CancelledError):
        driven(catches(log, 1000), then)
    assert log == ["cancelled"]


def test_one_that_waits_even_when_it_is_closed_is_left_too() -> None:
    async def work() -> None:
        while True:
            try:
                await asyncio.sleep(SOON)
            except BaseException:
                pass

    def then(driver: Driver) -> None:
        driver.end("overdue")
        asyncio.get_running_loop().call_later(0.01, driver.abandon)

    with pytest.raises(asyncio.CancelledError):
        driven(work(), then)


def test_one_that_was_told_to_end_before_it_began_does_not_begin() -> None:
    begun: list[str] = []

    async def work() -> None:
        begun.append("begun")

    async def main() -> None:
        driver = Driver()
        driver.end("terminated")
        await driver.drive(work())

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert begun == []


def test_an_end_comes_before_a_soft_limit_that_strikes_at_the_same_time() -> None:
    async def work() -> None:
        await asyncio.sleep(SOON)

    async def main() -> None:
        driver = Driver()
        asyncio.get_running_loop().call_later(0.02, driver.end, "overdue")
        asyncio.get_running_loop().call_later(0.02, driver.interrupt, SoftTimeLimitExceeded(1.0))
        await within(work(), SOON, driver)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_what_a_driver_is_told_afterwards_has_no_effect() -> None:
    async def work() -> str:
        return "done"

    async def main() -> str:
        driver = Driver()
        value = await driver.drive(work())
        driver.end("overdue")
        driver.abandon()
        driver.interrupt(RuntimeError())
        await asyncio.sleep(0.01)
        return value

    assert asyncio.run(main()) == "done"
