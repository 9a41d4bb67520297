"""liteq on Redis: the same program, the URL changed."""

import os
from collections.abc import Iterator

from .base import BIN, OnRedis

BATCH = 10_000
UNFINISHED = ("READY", "RUNNING")


class LiteqRedis(OnRedis):
    imports = "from liteq import LiteQ"

    def __init__(self) -> None:
        super().__init__()
        os.environ["BENCH_LITEQ_URL"] = f"{os.environ['BENCH_REDIS']}/0"
        from liteq_project import add, app

        self.add, self.app = add, app

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "python"), "-m", "liteq", "worker", "-A", "liteq_project"),
            *("-c", str(processes), "-l", "error"),
        ]

    def enqueue_each(self, count: int) -> None:
        start, delay, keep = len(self.sent), self.add.delay, self.sent.append
        for i in range(start, start + count):
            keep(delay(i, 1))

    def enqueue_bulk(self, count: int) -> None:
        start = len(self.sent)
        for first in range(start, start + count, BATCH):
            batch = range(first, min(first + BATCH, start + count))
            self.sent += self.app.enqueue_many(self.add.s(i, 1) for i in batch)

    def waiting(self) -> int:
        return self._count("READY")

    def finished(self) -> int:
        return len(self.sent) - self._count(*UNFINISHED)

    def results(self, first: int = 0) -> Iterator[int]:
        return (result.get(timeout=10) for result in self.sent[first:])

    def add_and_get(self, x: int, y: int) -> int:
        return self.add.delay(x, y).get(timeout=30)

    def _count(self, *phases: str) -> int:
        return sum(n.tasks for n in self.app.broker.counts() if n.phase.name in phases)
