"""How fast a worker gets through no-op tasks whose results are stored."""

import time

from contenders import Contender
from processes import Failed, cpu_seconds
from worker import Worker, started

from .base import Options, Reading

LIMIT = 400_000  # tasks in one go; checking every result takes its time
LOOK = 0.02  # seconds between two looks at the progress


def two(contender: Contender, options: Options) -> Reading:
    """Drain with two processes."""
    return _drain(contender, 2, options.seconds)


def one(contender: Contender, options: Options) -> Reading:
    """Drain with one process."""
    return _drain(contender, 1, options.seconds)


def _drain(contender: Contender, processes: int, seconds: float) -> Reading:
    count = 500
    while True:
        rate, took, cpu = _timed(contender, processes, count)
        if took > seconds / 2 or count == LIMIT:
            return Reading(rate=rate, cpu=1e6 * cpu)
        count = min(LIMIT, max(4 * count, int(rate * seconds)))


def _timed(contender: Contender, processes: int, count: int) -> tuple[float, float, float]:
    """Store `count` tasks, then start a worker; time from the first results to the last.

    So the start of the worker, a row of its own, does not count. Returns tasks per second, the
    seconds it took, and the seconds that the worker computed for each task.
    """
    before = contender.finished()
    contender.enqueue_bulk(count)
    with started(contender, processes) as worker:
        worker.wait_until(lambda: contender.finished() > before, seconds=30)
        begin, head = time.perf_counter(), contender.finished() - before
        used = cpu_seconds(worker.mark)
        watch(contender, worker, before + count)
        took, used = time.perf_counter() - begin, cpu_seconds(worker.mark) - used
        check(contender, before)
    return (count - head) / took, took, used / (count - head)


def watch(contender: Contender, worker: Worker, total: int) -> None:
    """Wait until `total` results are there, spending little on looking."""

    def done() -> bool:
        begin = time.perf_counter()
        finished = contender.finished()
        time.sleep(10 * (time.perf_counter() - begin))
        return finished >= total

    worker.wait_until(done, seconds=60, pause=LOOK)


def check(contender: Contender, first: int) -> None:
    for i, result in enumerate(contender.results(first), first):
        if result != i + 1:
            raise Failed(f"add({i}, 1) gave {result!r}")
