"""An event loop for queues whose calls are coroutines."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Loop:
    """Runs coroutines one after the other, always in the same loop."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

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
