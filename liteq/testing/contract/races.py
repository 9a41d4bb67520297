"""Threads that do the same at the same moment."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 10.0  # seconds after which a race that does not start is a failure


def race(runners: int, work: Callable[[int], T]) -> list[T]:
    """Run `work(0)`, `work(1)`, … in a thread each, all at once; answer what each returned."""
    line = Barrier(runners)

    def run(number: int) -> T:
        line.wait(PATIENCE)
        return work(number)

    with _restless(), ThreadPoolExecutor(runners) as threads:
        return list(threads.map(run, range(runners)))


@contextmanager
def _restless() -> Iterator[None]:
    """Let threads take turns as often as can be, so that what can go wrong does."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
