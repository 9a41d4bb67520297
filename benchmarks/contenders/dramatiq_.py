"""Dramatiq on Redis, two processes with two threads each: quicker here than one or eight."""

from collections.abc import Iterator
from importlib import import_module
from typing import ClassVar

from .base import BIN, Coroutines, OnRedis


class Dramatiq(OnRedis):
    project: ClassVar[str] = "dramatiq_project"
    queue = "dramatiq"
    imports = "import dramatiq"

    def __init__(self) -> None:
        super().__init__()
        from dramatiq import group

        self.actors = import_module(self.project)
        self.add, self.group = self.actors.add, group
        self.environment["dramatiq_queue_prefetch"] = "1000"  # more than it would fetch itself

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "dramatiq"), self.project),
            *("--processes", str(processes), "--threads", "2"),
        ]

    def enqueue_each(self, count: int) -> None:
        start, send, keep = len(self.sent), self.add.send, self.sent.append
        for i in range(start, start + count):
            keep(send(i, 1))

    def enqueue_bulk(self, count: int) -> None:
        start = len(self.sent)
        messages = self.group(self.add.message(i, 1) for i in range(start, start + count))
        self.sent += messages.run().children

    def waiting(self) -> int:
        return int(self.queues.llen("dramatiq:default"))

    def finished(self) -> int:
        return int(self.stored.dbsize())

    def results(self, first: int = 0) -> Iterator[int]:
        return (message.get_result() for message in self.sent[first:])

    def add_and_get(self, x: int, y: int) -> int:
        return int(self.add.send(x, y).get_result(block=True, timeout=30_000))


class DramatiqAsyncio(Dramatiq, Coroutines):
    """With coroutines, each of which a thread waits for."""

    project = "dramatiq_asyncio_project"
    slots = 8  # quicker with tasks that do nothing than two or a hundred

    def worker_command(self, processes: int) -> list[str]:
        command = [str(BIN / "dramatiq"), self.project]
        return [*command, "--processes", str(processes), "--threads", str(self.slots)]

    def send_naps(self, count: int) -> None:
        self.group(self.actors.nap.message() for _ in range(count)).run()

    def napped(self) -> int:
        return int(self.stored.dbsize())
