"""Does the file stop growing while results expire as quickly as tasks run?"""

import os
import time
from pathlib import Path

from contenders.liteq_ import LiteqFast
from processes import Failed
from worker import Worker, started

from .base import Options, Reading

EXPIRES = 2  # seconds
AHEAD = 20_000  # tasks that wait, at most
BATCH = 5_000


def plateau(contender: LiteqFast, options: Options) -> Reading:
    """Return the largest size of the file in the second half of a drain, as a multiple of that
    in the first half; and that size, in MB. Half as many tasks are drained as `backlog` has."""
    os.environ["BENCH_LITEQ_EXPIRES"] = str(EXPIRES)
    count = options.backlog // 2
    halves, began = [0, 0], time.perf_counter()
    with started(contender) as worker:
        for first in range(0, count, BATCH):
            contender.enqueue_bulk(BATCH)
            contender.sent.clear()
            _wait_until(contender, worker, AHEAD)
            half = first >= count // 2
            halves[half] = max(halves[half], _size())
        _wait_until(contender, worker, 0)
        took = time.perf_counter() - began
    failed = contender.store.execute("SELECT count(*) FROM liteq_task WHERE phase > 4").fetchone()[
        0
    ]
    if failed:
        raise Failed(f"{failed} tasks did not succeed")
    return Reading(growth=halves[1] / halves[0], mb=halves[1] / 1e6, rate=count / took)


def _wait_until(contender: LiteqFast, worker: Worker, left: int) -> None:
    worker.wait_until(lambda: contender.left() <= left, seconds=120, pause=0.005)


def _size() -> int:
    return Path(os.environ["BENCH_FOLDER"], "liteq.db").stat().st_size
