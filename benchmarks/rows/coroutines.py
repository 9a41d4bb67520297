"""Tasks that are coroutines, many of which run in each process of the worker."""

import time

from contenders.base import Coroutines
from processes import Failed, cpu_seconds
from worker import started

from .base import Options, Reading
from .drain import LIMIT, check, watch

FIRST = 100  # tasks, after which the worker is up
NAPS = 1_000
SLOTS = 500  # of each of the two processes, for naps
TRIPS = 10  # in a row, awaited and then blocking
MOST = 100  # times that


def drain(contender: Coroutines, options: Options) -> Reading:
    """Drain no-op coroutines with two processes, as `drain.two` does with functions."""
    count = 500
    while True:
        rate, took, cpu = _drained(contender, count)
        if took > options.seconds / 2 or count == LIMIT:
            return Reading(rate=rate, cpu=1e6 * cpu)
        count = min(LIMIT, max(4 * count, int(rate * options.seconds)))


def _drained(contender: Coroutines, count: int) -> tuple[float, float, float]:
    before = contender.finished()
    contender.enqueue_bulk(count)
    with started(contender) as worker:
        worker.wait_until(lambda: contender.finished() > before, seconds=30)
        begin, head = time.perf_counter(), contender.finished() - before
        used = cpu_seconds(worker.mark)
        watch(contender, worker, before + count)
        took, used = time.perf_counter() - begin, cpu_seconds(worker.mark) - used
        if contender.keeps_results:
            check(contender, before)
    return (count - head) / took, took, used / (count - head)


def naps(contender: Coroutines, options: Options) -> Reading:
    """Send a thousand tasks that sleep a second, to a worker that is up; wait for all."""
    contender.slots = SLOTS
    with started(contender) as worker:
        contender.send_naps(FIRST)
        worker.wait_until(lambda: contender.napped() >= FIRST, seconds=60)
        begin = time.perf_counter()
        contender.send_naps(NAPS)
        worker.wait_until(lambda: contender.napped() >= FIRST + NAPS, seconds=120, pause=0.01)
        return Reading(seconds=time.perf_counter() - begin)


def trips(contender: Coroutines, options: Options) -> Reading:
    """Make trips in a coroutine, by turns with as many that block."""
    with started(contender):
        contender.await_trips(20)
        awaited, blocking = [], []
        end = time.monotonic() + 4 * options.seconds
        while time.monotonic() < end and len(awaited) < TRIPS * MOST:
            awaited += contender.await_trips(TRIPS)
            blocking += [_blocking(contender, i) for i in range(TRIPS)]
        awaited.sort()
        blocking.sort()
        middle = awaited[len(awaited) // 2]
        return Reading(p50=1000 * middle, times=middle / blocking[len(blocking) // 2])


def _blocking(contender: Coroutines, i: int) -> float:
    begin = time.perf_counter()
    if (value := contender.add_and_get(i, 1)) != i + 1:
        raise Failed(f"add({i}, 1) gave {value!r}")
    return time.perf_counter() - begin
