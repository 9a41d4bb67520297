"""potatoq (alpha), Celery's API on SQLite and on Redis; two processes."""

import os
from collections.abc import Iterator
from pathlib import Path

from .base import BIN, Contender, OnRedis


class _Potatoq(Contender):
    queue = "potatoq"
    imports = "from potatoq import Potatoq"

    def __init__(self) -> None:
        super().__init__()
        os.environ["BENCH_POTATOQ_URL"] = self.url()
        from potatoq import group
        from potatoq_project import add, app

        self.add, self.app, self.group = add, app, group

    def url(self) -> str:
        raise NotImplementedError

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "potatoq"), "-A", "potatoq_project", "worker"),
            *("-c", str(processes), "-l", "warning", "--no-scheduler"),
        ]

    def enqueue_each(self, count: int) -> None:
        start, delay, keep = len(self.sent), self.add.delay, self.sent.append
        for i in range(start, start + count):
            keep(delay(i, 1))

    def enqueue_bulk(self, count: int) -> None:
        numbers = range(len(self.sent), len(self.sent) + count)
        self.sent += self.group(self.add.s(i, 1) for i in numbers).apply_async().results

    def waiting(self) -> int:
        return sum(self.app.broker.queue_sizes().values())

    def results(self, first: int = 0) -> Iterator[int]:
        return (result.get(timeout=10) for result in self.sent[first:])

    def add_and_get(self, x: int, y: int) -> int:
        return int(self.add.delay(x, y).get(timeout=30))


class PotatoqSqlite(_Potatoq):
    def url(self) -> str:
        path = Path(os.environ["BENCH_FOLDER"], "potatoq.db").as_posix().lstrip("/")
        return f"sqlite:////{path}"

    def finished(self) -> int:
        # Workers keep the names of their tasks among the results.
        count = "SELECT count(*) FROM potatoq_results WHERE id NOT LIKE 'potatoq-%'"
        return int(self.app.broker.conn.execute(count).fetchone()[0])


class PotatoqRedis(_Potatoq, OnRedis):
    def url(self) -> str:
        return f"{os.environ['BENCH_REDIS']}/0"

    def finished(self) -> int:
        prefix = self.app.broker.prefix
        ready, active = (f"{prefix}:q:default:{part}" for part in ("ready", "active"))
        return len(self.sent) - int(self.queues.zcard(ready)) - int(self.queues.zcard(active))
