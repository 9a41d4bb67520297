"""An event loop for queues whose calls are coroutines."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from processes import Failed

T = TypeVar("T")


class Loop:
    """Runs coroutines one after the other, always in the same loop."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def trips(self, trip: Callable[[int], Coroutine[Any, Any, int]], count: int) -> list[float]:
        """Make `count` trips, one after the other; return the seconds of each.

        `trip` sends `add(i, 1)` and awaits its value.
        """

        async def work() -> list[float]:
            took = []
            for i in range(count):
                begin = time.perf_counter()
                value = await trip(i)
                took.append(time.perf_counter() - begin)
                if value != i + 1:
                    raise Failed(f"add({i}, 1) gave {value!r}")
            return took

        return self.run(work())

    def gathered(
        self, send: Callable[[int, int], Any], start: int, count: int, at_a_time: int
    ) -> list[Any]:
        """Send tasks from `start` on, several at a time; return what the queue handed back."""

        async def work() -> list[Any]:
            sent: list[Any] = []
            for first in range(start, start + count, at_a_time):
                batch = range(first, min(first + at_a_time, start + count))
                sent += await asyncio.gather(*(send(i, 1) for i in batch))
            return sent

        return self.run(work())
