"""Taskiq on Redis: two processes, and `async` tasks, which run in its event loop.

It has no call that sends many; as its users do, a hundred calls are sent at a time. Its lists are
quicker than its streams, and take a task off the queue before it runs.
"""

from collections.abc import Iterator

from .base import BIN, OnRedis
from .loop import Loop

AT_A_TIME = 100


class Taskiq(Loop, OnRedis):
    queue = "taskiq"
    imports = "import taskiq, taskiq_redis"

    def __init__(self) -> None:
        super().__init__()
        from taskiq_project import add, broker

        self.add, self.broker = add, broker
        self.run(broker.startup())

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "taskiq"), "worker", "taskiq_project:broker"),
            *("--workers", str(processes), "--log-level", "WARNING"),
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

    def add_and_get(self, x: int, y: int) -> int:
        async def trip() -> int:
            task = await self.add.kiq(x, y)
            result = await task.wait_result(check_interval=0.001, timeout=30)
            return int(result.return_value)

        return self.run(trip())
