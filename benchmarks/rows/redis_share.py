"""`delay()` on Redis, against the bare round trip of a script that does nothing."""

import time
from collections.abc import Callable
from statistics import median

from contenders.base import OnRedis
from processes import Failed

from .base import Options, Reading

TURNS = 5  # bare and delay() by turns, so that what else the machine does meets both


def measure(contender: OnRedis, options: Options) -> Reading:
    """Return the round trips per second of both, and liteq's share of the bare rate."""
    client = contender.queues
    sha = client.script_load("return 1")
    seconds = options.seconds / TURNS

    def bare() -> None:
        client.evalsha(sha, 1, "bench", b"x" * 40)

    def delay() -> None:
        contender.enqueue_each(1)

    turns = [(_rate(bare, seconds), _rate(delay, seconds)) for _ in range(TURNS)]
    if (stored := contender.waiting()) != len(contender.sent):
        raise Failed(f"{len(contender.sent)} tasks were sent, {stored} are stored")
    rates = [median(rates) for rates in zip(*turns, strict=True)]
    return Reading(bare=rates[0], rate=rates[1], share=median(ours / b for b, ours in turns))


def _rate(work: Callable[[], None], seconds: float) -> float:
    count, begin = 0, time.perf_counter()
    while (took := time.perf_counter() - begin) < seconds:
        work()
        count += 1
    return count / took
