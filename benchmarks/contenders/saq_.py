"""SAQ on Redis: two processes, with as many tasks at a time as is quickest here.

It has no call that sends many; as its users do, a hundred calls are sent at a time.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from .base import BIN, Coroutines, OnRedis
from .loop import Loop

AT_A_TIME = 100
# When a worker starts, it aborts tasks that another one has just taken and not begun yet. With
# retries they are run all the same; without, some have no result.
RETRIES = 5


class SAQ(Loop, OnRedis, Coroutines):
    queue = "saq"
    imports = "from saq import Queue"

    def __init__(self) -> None:
        super().__init__()
        from saq_project import queue

        self.jobs = queue

    def worker_command(self, processes: int) -> list[str]:
        self.environment["BENCH_SAQ_SLOTS"] = str(self.slots)
        return [
            *(str(BIN / "saq"), "saq_project.settings", "--quiet"),
            *("--workers", str(processes)),
        ]

    def _send(self, x: int, y: int) -> Any:
        return self.jobs.enqueue("add", x=x, y=y, retries=RETRIES)

    def enqueue_each(self, count: int) -> None:
        async def send() -> None:
            start = len(self.sent)
            for i in range(start, start + count):
                self.sent.append(await self._send(i, 1))

        self.run(send())

    def enqueue_bulk(self, count: int) -> None:
        self.sent += self.gathered(self._send, len(self.sent), count, AT_A_TIME)

    def waiting(self) -> int:
        return self.run(self.jobs.count("queued"))

    def finished(self) -> int:
        return len(self.sent) - int(self.queues.zcard("saq:default:incomplete"))

    def results(self, first: int = 0) -> Iterator[int]:
        async def result(job: Any) -> int:
            await job.refresh()
            return int(job.result)

        return (self.run(result(job)) for job in self.sent[first:])

    slots = 10  # its own default; more are slower with tasks that do nothing

    def send_naps(self, count: int) -> None:
        async def send() -> None:
            for _ in range(0, count, AT_A_TIME):
                naps = (self.jobs.enqueue("nap", retries=RETRIES) for _ in range(AT_A_TIME))
                await asyncio.gather(*naps)

        self.run(send())
        self.naps += count

    def napped(self) -> int:
        return self.naps - int(self.queues.zcard("saq:default:incomplete"))

    def await_trips(self, count: int) -> list[float]:
        async def trip(i: int) -> int:
            return int(await self.jobs.apply("add", timeout=30, x=i, y=1, retries=RETRIES))

        return self.trips(trip, count)

    def add_and_get(self, x: int, y: int) -> int:
        return int(self.run(self.jobs.apply("add", timeout=30, x=x, y=y, retries=RETRIES)))
