"""How long until one can begin."""

import subprocess
import sys
import time
from statistics import median

from contenders import Contender
from processes import Failed
from worker import started

from .base import Options, Reading

CLOCK = "from time import perf_counter as now; begin = now(); {}; print((now() - begin) * 1000)"


def importing(contender: Contender, options: Options) -> Reading:
    """Return the milliseconds that a program spends on the import, in a fresh interpreter."""
    command = [sys.executable, "-c", CLOCK.format(contender.imports)]
    runs = [subprocess.run(command, check=True, capture_output=True) for _ in range(15)]
    return Reading(ms=median(float(run.stdout) for run in runs))


def worker(contender: Contender, options: Options) -> Reading:
    """Return the milliseconds from the start of the worker's program to the first result stored."""
    times = [_first_task(contender) for _ in range(5)]
    if list(contender.results()) != [i + 1 for i in range(5)]:
        raise Failed("a first task gave a wrong result")
    return Reading(ms=median(times))


def _first_task(contender: Contender) -> float:
    contender.enqueue_each(1)
    begin = time.perf_counter()
    with started(contender) as up:
        up.wait_until(lambda: contender.finished() == len(contender.sent), seconds=30)
        return (time.perf_counter() - begin) * 1000
