"""liteq on its SQLite file, at the two durabilities people choose between."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from .base import BIN, Contender

BATCH = 10_000
READY = "SELECT count(*) FROM task WHERE phase = 2"
LEFT = f"SELECT ({READY}) + (SELECT count(*) FROM task WHERE phase = 3)"


class Liteq(Contender):
    """On whatever store, by the same calls."""

    imports = "from liteq import LiteQ"
    loglevel: ClassVar[str] = "warning"

    def begin(self, url: str) -> None:
        """Import the project, with its store at `url`."""
        os.environ["BENCH_LITEQ_URL"] = url
        from liteq_project import add, app

        self.add, self.app = add, app

    def worker_command(self, processes: int) -> list[str]:
        return [
            *(str(BIN / "python"), "-m", "liteq", "worker", "-A", "liteq_project"),
            *("-c", str(processes), "-l", self.loglevel),
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

    def results(self, first: int = 0) -> Iterator[int]:
        return (result.get(timeout=10) for result in self.sent[first:])

    def add_and_get(self, x: int, y: int) -> int:
        return self.add.delay(x, y).get(timeout=30)


class LiteqSafe(Liteq):
    """The default: an acknowledged enqueue survives a power cut."""

    durability: ClassVar[str] = "safe"

    def __init__(self) -> None:
        super().__init__()
        path = Path(os.environ["BENCH_FOLDER"], "liteq.db").as_posix()
        self.begin(f"sqlite:///{path}?durability={self.durability}")
        self.app.broker.counts()  # makes the file
        self.store = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    def waiting(self) -> int:
        return int(self.store.execute(READY).fetchone()[0])

    def later(self) -> int:
        return int(self.store.execute("SELECT count(*) FROM task WHERE phase = 1").fetchone()[0])

    def left(self) -> int:
        """Return how many tasks are ready or run."""
        return int(self.store.execute(LEFT).fetchone()[0])

    def finished(self) -> int:
        # What is left is counted by small indexes; `broker.counts` would read the whole table.
        return len(self.sent) - self.left()


class LiteqFast(LiteqSafe):
    """No fsync per commit: survives any kill, not a power cut."""

    durability = "fast"
