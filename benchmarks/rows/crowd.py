"""Sixteen programs that send at the same time: how long may one `delay()` take?"""

import time
from multiprocessing import Queue, get_context
from multiprocessing.synchronize import Barrier

from contenders import Contender
from processes import Failed

from .base import Options, Reading

PRODUCERS = 16
PAUSE = 0.002  # seconds between two tasks of one producer


def measure(contender: Contender, options: Options) -> Reading:
    """Return the milliseconds of one `delay()`: the 99.9th percentile and the worst."""
    count = int(options.seconds / PAUSE)
    spawn = get_context("spawn")  # as separate programs are: nothing is inherited
    gate, answers = spawn.Barrier(PRODUCERS), spawn.Queue()
    crowd = [spawn.Process(target=_produce, args=(count, gate, answers)) for _ in range(PRODUCERS)]
    for producer in crowd:
        producer.start()
    times = sorted(ms for _ in crowd for ms in answers.get(timeout=50))
    for producer in crowd:
        producer.join()
    if (stored := contender.waiting()) != PRODUCERS * (count + 1):
        raise Failed(f"{PRODUCERS * (count + 1)} tasks were sent, {stored} are stored")
    return Reading(p999=times[len(times) * 999 // 1000], worst=times[-1])


def _produce(count: int, gate: Barrier, answers: "Queue[list[float]]") -> None:
    from liteq_project import add

    add.delay(0, 0)  # opens the file
    gate.wait()
    times = []
    for i in range(count):
        begin = time.perf_counter()
        add.delay(i, 1)
        times.append((time.perf_counter() - begin) * 1000)
        time.sleep(PAUSE)
    answers.put(times)
