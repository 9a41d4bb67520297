"""The watch over an event loop: who blocks it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from liteq.pools.loopwatch import Block, LoopWatch
from liteq.support.driving import Driver

SOON = 20.0
whose: ContextVar[str] = ContextVar("whose", default="nobody")


class Watched:
    """A loop in a thread of its own, and its watch, which is asked to look by hand."""

    def __init__(self) -> None:
        self.reports: list[Block | None] = []
        self.loop = asyncio.new_event_loop()
        self.go = threading.Event()
        started = threading.Event()

        def run() -> None:
            self.watch = LoopWatch(self.loop, self.reports.append)
            started.set()
            self.loop.run_forever()
            self.loop.close()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        started.wait(SOON)

    def start(self, function: Callable[[], Any], name: str = "") -> None:
        """Have the loop run a coroutine function, which sees its name."""

        async def work() -> None:
            whose.set(name)
            await Driver().drive(function())

        asyncio.run_coroutine_threadsafe(work(), self.loop)

    def look_until(self, done: Callable[[], object]) -> None:
        deadline = time.monotonic() + SOON
        while not done():
            assert time.monotonic() < deadline, self.reports
            time.sleep(self.watch.look())

    def block(self) -> None:
        self.go.wait(SOON)

    def close(self) -> None:
        self.go.set()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(SOON)


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    yield watched
    watched.close()


def test_a_coroutine_that_blocks_the_loop_is_reported_once_and_then_that_it_goes_on(
    watched: Watched,
) -> None:
    async def blocks() -> None:
        watched.block()

    watched.start(blocks, "ann")
    watched.look_until(lambda: watched.reports)
    (block,) = watched.reports
    assert block is not None
    assert block.context is not None
    assert block.context.get(whose) == "ann"
    assert block.stack.index("in blocks") < block.stack.index("in block\n")
    assert "in drive" not in block.stack
    assert "in _run" not in block.stack

    for _ in range(5):
        time.sleep(watched.watch.look())
    assert len(watched.reports) == 1
    watched.go.set()
    watched.look_until(lambda: len(watched.reports) == 2)
    assert watched.reports[1] is None


def test_a_callback_has_the_context_of_who_has_asked_for_it(watched: Watched) -> None:
    async def asks() -> None:
        asyncio.get_running_loop().call_soon(watched.block)

    watched.start(asks, "bob")
    watched.look_until(lambda: watched.reports)
    (block,) = watched.reports
    assert block is not None
    assert block.context is not None
    assert block.context.get(whose) == "bob"


def test_a_loop_that_turns_is_not_reported(watched: Watched) -> None:
    async def sleeps() -> None:
        await asyncio.sleep(SOON)

    watched.start(sleeps)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        time.sleep(watched.watch.look())
    assert watched.reports == []


def test_time_in_which_nobody_looked_does_not_count(watched: Watched) -> None:
    async def blocks() -> None:
        watched.block()

    watched.watch.look()
    watched.start(blocks)
    watched.watch.look()
    watched.watch.rest()
    time.sleep(1.2)  # as long as a task may block the loop
    watched.watch.look()
    assert watched.reports == []
