"""What a worker costs that is merely there."""

import time

from contenders import Contender
from processes import Failed, cpu_seconds, memory_mb
from worker import Worker, started

from .base import Options, Reading

WARM_UP = 1_000  # tasks: what is loaded lazily is loaded then
MANY, LOT = 150_000, 5_000  # tasks: what grows with them has grown then; sent in lots
CALM = 2.0  # seconds from the last task until the worker counts as idle


def idle(contender: Contender, options: Options) -> Reading:
    """Return the share of one core that a worker with two processes takes, in percent."""
    with started(contender) as worker:
        warm_up(contender, worker)
        before, begin = cpu_seconds(worker.mark), time.perf_counter()
        time.sleep(options.idle)
        used, took = cpu_seconds(worker.mark) - before, time.perf_counter() - begin
    return Reading(percent=100 * used / took)


def memory(contender: Contender, options: Options) -> Reading:
    """Return the memory of a worker with two processes, all of its processes together."""
    with started(contender) as worker:
        warm_up(contender, worker)
        return Reading(mb=memory_mb(worker.mark))


def memory_later(contender: Contender, options: Options) -> Reading:
    """Return the same after 150,000 tasks, or as many as are done while patience lasts."""
    with started(contender) as worker:
        done, end = 0, time.monotonic() + options.patience
        while done < MANY and time.monotonic() < end:
            contender.enqueue_bulk(LOT)
            done += LOT
            _wait(contender, worker, done)
        time.sleep(CALM)
        mb = memory_mb(worker.mark)
    _check(contender, done - LOT)
    return Reading(mb=mb, tasks=done)


def warm_up(contender: Contender, worker: Worker) -> None:
    contender.enqueue_each(WARM_UP)
    _wait(contender, worker, WARM_UP)
    _check(contender, 0)
    time.sleep(CALM)


def _wait(contender: Contender, worker: Worker, done: int) -> None:
    worker.wait_until(lambda: contender.finished() >= done, seconds=60, pause=0.05)


def _check(contender: Contender, first: int) -> None:
    for i, result in enumerate(contender.results(first), first):
        if result != i + 1:
            raise Failed(f"add({i}, 1) gave {result!r}")
