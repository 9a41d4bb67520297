"""Races: the same call in several threads at the same time."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")

START_TIMEOUT = 10.0  # seconds; a race that has not started by then has failed


def race(runners: int, work: Callable[[int], T]) -> list[T]:
    """Run `work(0)`, `work(1)`, … in a thread each, all at once; return their results."""
    start = Barrier(runners)

    def run(number: int) -> T:
        start.wait(START_TIMEOUT)
        return work(number)

    with _frequent_switches(), ThreadPoolExecutor(runners) as threads:
        return list(threads.map(run, range(runners)))


@contextmanager
def _frequent_switches() -> Iterator[None]:
    """Switch between threads as often as possible, to provoke races, inside the block."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
