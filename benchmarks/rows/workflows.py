"""What chains, groups and chords cost."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from contenders import Contender
from processes import Failed, memory_mb
from worker import started

from .base import Options, Reading

WIDE = 10_000  # members of a group
LONG = 1_000  # steps of a chain
DEEP, BROAD = 10, 25  # levels of groups that follow groups, and members of each
TURNS = 5


def chord(contender: Contender, options: Options) -> Reading:
    """Run a chord of no-ops, and the same tasks alone, by turns; return seconds, how many times as
    long the chord takes, and how long sending it takes."""
    alone, joined, sending = [], [], []
    for _ in range(TURNS):
        alone.append(_drained(contender, lambda: contender.enqueue_bulk(WIDE)))
        joined.append(_drained(contender, lambda: sending.append(_sent(contender))))
    times = [a / b for a, b in zip(joined, alone, strict=True)]
    return Reading(seconds=median(joined), times=median(times), send=median(sending))


def chain(contender: Contender, options: Options) -> Reading:
    """Run a chain of no-ops: milliseconds for each step."""
    from liteq_project import add

    from liteq import chain

    with started(contender):
        contender.add_and_get(1, 1)  # it is up
        begin = time.perf_counter()
        result = chain([add.s(0, 1), *(add.s(1) for _ in range(LONG - 1))]).apply_async()
        found = result.get(timeout=60)
        took = time.perf_counter() - begin
    if found != LONG:
        raise Failed(f"the chain gave {found!r}")
    return Reading(ms=1000 * took / LONG)


def deep(contender: Contender, options: Options) -> Reading:
    """Run groups that follow groups: seconds, and the memory of the worker."""
    from liteq_project import length

    from liteq import group

    canvas: Any = group(length.s([0]) for _ in range(BROAD))
    for _ in range(DEEP - 1):
        canvas = canvas | group(length.s() for _ in range(BROAD))
    with started(contender) as worker:
        contender.add_and_get(1, 1)  # it is up
        begin = time.perf_counter()
        result = canvas.apply_async()
        if result.get(timeout=30) != [BROAD] * BROAD:
            raise Failed("the groups gave a wrong result")
        return Reading(seconds=time.perf_counter() - begin, mb=memory_mb(worker.mark))


def _sent(contender: Contender) -> float:
    """Send the chord; how long that took, in milliseconds. Its parts are there before."""
    from liteq_project import add, total

    from liteq import chord

    canvas = chord([add.s(i, 1) for i in range(WIDE)], total.s())
    begin = time.perf_counter()
    contender.sent.append(canvas.apply_async())
    return 1000 * (time.perf_counter() - begin)


def _drained(contender: Any, send: Callable[[], object]) -> float:
    """Send, then start a worker: seconds from the first result to the last."""
    before = contender.store.execute("SELECT count(*) FROM task").fetchone()[0]
    send()
    waiting = contender.left()
    with started(contender) as worker:
        worker.wait_until(lambda: contender.left() < waiting, seconds=30)
        begin = time.perf_counter()
        worker.wait_until(lambda: contender.left() == 0, seconds=30)
        took = time.perf_counter() - begin
    _check(contender, before)
    return took


def _check(contender: Any, before: int) -> None:
    """Check that all that is new has ended well, and so has the chord."""
    done = contender.store.execute("SELECT count(*) FROM task WHERE phase = 4").fetchone()[0]
    if done - before < WIDE:
        raise Failed(f"{done - before} of {WIDE} tasks have ended well")
    last = contender.sent[-1]
    if last.parent is not None and last.get(timeout=10) != sum(range(1, WIDE + 1)):
        raise Failed(f"the body of the chord gave {last.result!r}")
