"""Celery on Redis, two prefork processes, without the chatter between workers."""

from collections.abc import Iterator

from .base import BIN, OnRedis


class Celery(OnRedis):
    queue = "celery"
    imports = "from celery import Celery"

    def __init__(self) -> None:
        super().__init__()
        from celery import group
        from celery_project import add

        self.add, self.group = add, group

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "celery"), "-A", "celery_project", "worker"),
            *("-c", str(processes), "-l", "warning"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]

    def enqueue_each(self, count: int) -> None:
        start, delay, keep = len(self.sent), self.add.delay, self.sent.append
        for i in range(start, start + count):
            keep(delay(i, 1))

    def enqueue_bulk(self, count: int) -> None:
        numbers = range(len(self.sent), len(self.sent) + count)
        self.sent += self.group(self.add.s(i, 1) for i in numbers).apply_async().results

    def waiting(self) -> int:
        return int(self.queues.llen("celery"))

    def finished(self) -> int:
        return int(self.stored.dbsize())

    def results(self, first: int = 0) -> Iterator[int]:
        return (result.result for result in self.sent[first:])

    def add_and_get(self, x: int, y: int) -> int:
        return int(self.add.delay(x, y).get(timeout=30))
