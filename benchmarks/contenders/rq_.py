"""RQ on Redis: its pool of two SimpleWorkers, which run tasks in their own process.

RQ's default worker forks for each task and is four times slower.
"""

import os
from collections.abc import Iterator

from .base import BIN, OnRedis


class RQ(OnRedis):
    queue = "rq"
    imports = "from rq import Queue"

    def __init__(self) -> None:
        super().__init__()
        from rq import Queue
        from rq_project import add

        self.add, self.queue = add, Queue("default", connection=self.queues)

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "rq"), "worker-pool", "default", "-n", str(processes), "-q"),
            *("-w", "rq.worker.SimpleWorker", "-u", f"{os.environ['BENCH_REDIS']}/0"),
        ]

    def enqueue_each(self, count: int) -> None:
        start, keep = len(self.sent), self.sent.append
        for i in range(start, start + count):
            keep(self.queue.enqueue(self.add, i, 1))

    def enqueue_bulk(self, count: int) -> None:
        start, prepare = len(self.sent), self.queue.prepare_data
        numbers = range(start, start + count)
        self.sent += self.queue.enqueue_many(prepare(self.add, args=(i, 1)) for i in numbers)

    def waiting(self) -> int:
        return int(self.queue.count)

    def finished(self) -> int:
        return int(self.queues.zcard("rq:finished:default"))

    def results(self, first: int = 0) -> Iterator[int]:
        return (job.return_value() for job in self.sent[first:])

    def add_and_get(self, x: int, y: int) -> int:
        job = self.queue.enqueue(self.add, x, y)
        return int(job.latest_result(timeout=30).return_value)
