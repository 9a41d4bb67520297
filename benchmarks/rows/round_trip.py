"""How long one waits for the result of one small task, when the worker has nothing else to do."""

import time
from random import uniform

from contenders import Contender
from processes import Failed
from worker import started

from .base import Options, Reading

WARM_UP = 20
MOST = 3_000  # trips; enough for a 99th percentile
SILENCE = 0.05  # seconds, on average: the processor falls asleep and others use its caches


def warm(contender: Contender, options: Options) -> Reading:
    """Make one trip after the other; the worker is idle when each begins."""
    return _trips(contender, 2 * options.seconds, pause=0.0)


def cold(contender: Contender, options: Options) -> Reading:
    """Make trips with a silence before each."""
    return _trips(contender, 4 * options.seconds, pause=SILENCE)


def _trips(contender: Contender, seconds: float, pause: float) -> Reading:
    with started(contender):
        for i in range(WARM_UP):
            _trip(contender, i)
        trips, end = [], time.monotonic() + seconds
        while len(trips) < MOST and time.monotonic() < end:
            # Uneven, or who polls each 10 ms would always be met at the same moment of its turn.
            time.sleep(pause * uniform(0.5, 1.5))
            trips.append(_trip(contender, len(trips)))
    trips.sort()
    return Reading(p50=trips[len(trips) // 2], p99=trips[len(trips) * 99 // 100])


def _trip(contender: Contender, i: int) -> float:
    """Return the milliseconds from `delay()` to the value of `get()`."""
    begin = time.perf_counter()
    result = contender.add_and_get(i, 1)
    took = time.perf_counter() - begin
    if result != i + 1:
        raise Failed(f"add({i}, 1) gave {result!r}")
    return took * 1000
