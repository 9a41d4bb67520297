"""How many tasks a program can send in a second, with no worker up."""

import time
from collections.abc import Callable

from contenders import Contender
from processes import Failed

from .base import Options, Reading

LEAST = 0.2  # seconds: a shorter run tells nothing about the rate


def each(contender: Contender, options: Options) -> Reading:
    """Send by `delay()`, each its own commit."""
    return Reading(rate=_rate(contender, contender.enqueue_each, options.seconds))


def bulk(contender: Contender, options: Options) -> Reading:
    """Send by the quickest way that the contender documents."""
    return Reading(rate=_rate(contender, contender.enqueue_bulk, options.seconds))


def _rate(contender: Contender, send: Callable[[int], None], seconds: float) -> float:
    count, took = 200, 0.0
    while took < LEAST:  # find out how many fill the time
        count, took = count * 2, _time(contender, send, count * 2)
    count = max(count, int(count / took * seconds))
    return count / _time(contender, send, count)


def _time(contender: Contender, send: Callable[[int], None], count: int) -> float:
    begin = time.perf_counter()
    send(count)
    took = time.perf_counter() - begin
    if (stored := contender.waiting()) != len(contender.sent):
        raise Failed(f"{len(contender.sent)} tasks were sent, {stored} are stored")
    return took
