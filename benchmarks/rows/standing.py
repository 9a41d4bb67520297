"""What a worker costs that is merely there."""

import time

from contenders import Contender
from processes import Failed, cpu_seconds, memory_mb
from worker import Worker, started

from .base import Options, Reading

WARM_UP = 1_000  # tasks: what is loaded lazily is loaded then
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


def warm_up(contender: Contender, worker: Worker) -> None:
    contender.enqueue_each(WARM_UP)
    worker.wait_until(lambda: contender.finished() >= WARM_UP, seconds=40, pause=0.05)
    if list(contender.results()) != [i + 1 for i in range(WARM_UP)]:
        raise Failed("a task of the warm-up gave a wrong result")
    time.sleep(CALM)
