"""How long one waits for the result of one small task, when the worker has nothing else to do."""

import time

from contenders import Contender
from processes import Failed
from worker import started

from .base import Options, Reading

WARM_UP = 20
MOST = 3_000  # trips; enough for a 99th percentile
PAUSE = 0.005  # seconds between trips, for the worker to be idle again


def measure(contender: Contender, options: Options) -> Reading:
    with started(contender):
        for i in range(WARM_UP):
            _trip(contender, i)
        trips, end = [], time.monotonic() + 2 * options.seconds
        while len(trips) < MOST and time.monotonic() < end:
            time.sleep(PAUSE)
            trips.append(_trip(contender, len(trips)))
    trips.sort()
    return Reading(p50=trips[len(trips) // 2], p99=trips[len(trips) * 99 // 100])


def _trip(contender: Contender, i: int) -> float:
    """The milliseconds from `delay()` to the value of `get()`."""
    begin = time.perf_counter()
    result = contender.add_and_get(i, 1)
    took = time.perf_counter() - begin
    if result != i + 1:
        raise Failed(f"add({i}, 1) gave {result!r}")
    return took * 1000
