"""Taskiq on Redis: two processes, and `async` tasks, which run in its event loop.

It has no call that sends many; as its users do, a hundred calls are sent at a time. Its lists are
quicker than its streams, and take a task off the queue before it runs.
"""

import asyncio
from collections.abc import Iterator

from .base import BIN, Coroutines, OnRedis
from .loop import Loop

AT_A_TIME = 100


class Taskiq(Loop, OnRedis, Coroutines):
    queue = "taskiq"
    imports = "import taskiq, taskiq_redis"

    def __init__(self) -> None:
        super().__init__()
        from taskiq_project import add, broker, nap

        self.add, self.nap, self.broker = add, nap, broker
        self.run(broker.startup())

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "taskiq"), "worker", "taskiq_project:broker"),
            *("--workers", str(processes), "--log-level", "WARNING"),
            *("--max-async-tasks", str(self.slots)),  # 100 is its own default too
        ]

    def enqueue_each(self, count: int) -> None:
        async def send() -> None:
            start = len(self.sent)
            for i in range(start, start + count):
                self.sent.append(await self.add.kiq(i, 1))

        self.run(send())

    def enqueue_bulk(self, count: int) -> None:
        self.sent += self.gathered(self.add.kiq, len(self.sent), count, AT_A_TIME)

    def waiting(self) -> int:
        return int(self.queues.llen("taskiq"))

    def finished(self) -> int:
        return int(self.stored.dbsize())

    def results(self, first: int = 0) -> Iterator[int]:
        return (self.run(task.wait_result(timeout=10)).return_value for task in self.sent[first:])

    def send_naps(self, count: int) -> None:
        async def send() -> None:
            for _ in range(0, count, AT_A_TIME):
                await asyncio.gather(*(self.nap.kiq() for _ in range(AT_A_TIME)))

        self.run(send())

    def napped(self) -> int:
        return int(self.stored.dbsize())

    def await_trips(self, count: int) -> list[float]:
        return self.trips(self._trip, count)

    async def _trip(self, i: int) -> int:
        task = await self.add.kiq(i, 1)
        result = await task.wait_result(check_interval=0.001, timeout=30)
        return int(result.return_value)

    def add_and_get(self, x: int, y: int) -> int:
        assert y == 1
        return self.run(self._trip(x))
