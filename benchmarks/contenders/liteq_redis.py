"""liteq on Redis: the same program, the URL changed."""

import os

from .base import OnRedis
from .liteq_ import Liteq

UNFINISHED = ("READY", "RUNNING")


class LiteqRedis(Liteq, OnRedis):
    loglevel = "error"  # not the warning that this server keeps nothing on its disk

    def __init__(self) -> None:
        super().__init__()
        self.begin(f"{os.environ['BENCH_REDIS']}/0")

    def waiting(self) -> int:
        return self._count("READY")

    def finished(self) -> int:
        return len(self.sent) - self._count(*UNFINISHED)

    def _count(self, *phases: str) -> int:
        return sum(n.tasks for n in self.app.broker.counts() if n.phase.name in phases)
