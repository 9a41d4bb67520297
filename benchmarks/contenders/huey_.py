"""Huey on SQLite and on Redis, two processes. It has no way to send many at once."""

import os
from collections.abc import Iterator
from importlib import import_module
from typing import ClassVar

from .base import BIN, Contender, OnRedis


class _Huey(Contender):
    queue = "huey"
    project: ClassVar[str]
    patience: ClassVar[float]  # seconds between two looks for a result

    def __init__(self) -> None:
        super().__init__()
        project = import_module(self.project)
        self.add, self.huey = project.add, project.huey

    def enqueue_each(self, count: int) -> None:
        start, keep = len(self.sent), self.sent.append
        for i in range(start, start + count):
            keep(self.add(i, 1))

    def enqueue_bulk(self, count: int) -> None:
        start = len(self.sent)
        self.sent += self.add.map((i, 1) for i in range(start, start + count))

    def waiting(self) -> int:
        return int(self.huey.storage.queue_size())

    def finished(self) -> int:
        return int(self.huey.storage.result_store_size())

    def results(self, first: int = 0) -> Iterator[int]:
        # `preserve`, for Huey's results are gone once read, and `finished` would shrink.
        return (result.get(preserve=True) for result in self.sent[first:])

    def add_and_get(self, x: int, y: int) -> int:
        return int(self.add(x, y).get(blocking=True, timeout=30, max_delay=self.patience))


class HueySqlite(_Huey):
    """As it comes: each commit is on the disk. Its worker polls, here each 10 ms, not 100."""

    imports = "from huey import SqliteHuey"
    project = "huey_sqlite_project"
    patience = 0.001
    fsync: ClassVar[bool] = True

    def __init__(self) -> None:
        os.environ["BENCH_HUEY_FSYNC"] = "1" if self.fsync else ""
        super().__init__()

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "huey_consumer"), "huey_sqlite_project.huey"),
            *("-k", "process", "-w", str(processes), "-q", "-n", "-d", "0.01", "-m", "0.01"),
        ]


class HueySqliteOff(HueySqlite):
    """`fsync=False`, SQLite's synchronous=OFF: quick, and a power cut may ruin the file."""

    fsync = False


class HueyRedis(_Huey, OnRedis):
    imports = "from huey import RedisHuey"
    project = "huey_redis_project"
    patience = 0.001

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "huey_consumer"), "huey_redis_project.huey"),
            *("-k", "process", "-w", str(processes), "-q", "-n"),
        ]
