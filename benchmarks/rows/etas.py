"""Are tasks with an eta punctual, and what do a million of them cost that wait?"""

import time

from contenders.liteq_ import LiteqFast
from processes import Failed, cpu_seconds
from worker import started

from .backlog import CHUNK, costs
from .base import Options, Reading
from .standing import CALM, warm_up

TASKS = 300
APART = 0.0137  # seconds from one eta to the next: in step with no timer
MANY = 1_000_000  # at most: with a smaller `options.backlog`, so many
FAR = 30 * 86_400.0  # seconds


def punctual(contender: LiteqFast, options: Options) -> Reading:
    """Return how much later than its eta a task begins, on a worker that is idle, in ms."""
    import liteq_project

    with started(contender) as worker:
        warm_up(contender, worker)
        first = time.time() + 1.0
        etas = [first + n * APART for n in range(TASKS)]
        sent = [liteq_project.now.apply_async(countdown=eta - time.time()) for eta in etas]
        began = [result.get(timeout=30) for result in sent]
        wanted = [each.message.eta for each in contender.app.broker.fetch([r.id for r in sent])]
    late = sorted(1000 * (begin - eta) for begin, eta in zip(began, wanted, strict=True))
    if late[0] < 0:
        raise Failed(f"a task began {-late[0]:.3f} ms before its eta")
    return Reading(p50=late[TASKS // 2], p99=late[TASKS * 99 // 100], worst=late[-1])


def crowded(contender: LiteqFast, options: Options) -> Reading:
    """Return the cost per task with many etas waiting, as a multiple of that with none; and what
    an idle worker takes then, in percent of a core."""
    few = costs(contender, options.seconds)
    many = min(options.backlog, MANY)
    for start in range(0, many, CHUNK):
        count = min(CHUNK, many - start)
        contender.app.enqueue_many(
            contender.add.s(1, 1).set(countdown=FAR + start + n) for n in range(count)
        )
    loaded = costs(contender, options.seconds)
    with started(contender) as worker:
        warm_up(contender, worker)
        time.sleep(CALM)
        before, begin = cpu_seconds(worker.mark), time.perf_counter()
        time.sleep(options.idle)
        used, took = cpu_seconds(worker.mark) - before, time.perf_counter() - begin
    if (waiting := contender.later()) != many:
        raise Failed(f"{waiting} etas wait, not {many}")
    return Reading(task=sum(loaded.values()) / sum(few.values()), idle=100 * used / took)
