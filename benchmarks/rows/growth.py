"""Does a task cost more beside what a store has gathered in a year?"""

import time
from statistics import median

from contenders.liteq_ import LiteqFast
from processes import Failed

from .backlog import CHUNK, costs, run_all
from .base import Options, Reading

SCHEDULES = 10_000
QUEUES = 1_000
TRIES = 50


def kept(contender: LiteqFast, options: Options) -> Reading:
    """Return the cost per task beside half as many kept results as the row `backlog` has tasks,
    as a multiple of that beside none."""
    few = costs(contender, options.seconds)
    count = options.backlog // 2
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        contender.enqueue_bulk(size)
        contender.sent.clear()
        run_all(contender, size)
    contender.app.broker.upkeep(idle=True)
    many = costs(contender, options.seconds)
    ((found,),) = contender.store.execute("SELECT count(*) FROM liteq_task WHERE phase = 4")
    if found < count:
        raise Failed(f"{found} results are kept, not {count}")
    return Reading(
        enqueue=many["enqueue"] / few["enqueue"],
        run=many["run"] / few["run"],
        task=sum(many.values()) / sum(few.values()),
    )


def schedules(contender: LiteqFast, options: Options) -> Reading:
    """Return the cost per task, and of `app.schedules.add`, beside 10,000 schedules, as a
    multiple of that beside none."""
    few, add_few = costs(contender, options.seconds), _cost_of_adding(contender, "first")
    for n in range(SCHEDULES):
        contender.app.schedules.add(f"schedule-{n}", 3_600.0 + n, contender.add, (n, 1))
    many, add_many = costs(contender, options.seconds), _cost_of_adding(contender, "last")
    if (found := len(contender.app.schedules.list())) != SCHEDULES + 2 * TRIES:
        raise Failed(f"{found} schedules are stored")
    return Reading(task=sum(many.values()) / sum(few.values()), add=add_many / add_few)


def queues(contender: LiteqFast, options: Options) -> Reading:
    """Return the cost per task beside 1,000 other queues in which tasks wait, as a multiple of
    that beside none."""
    few = costs(contender, options.seconds)
    contender.app.enqueue_many(
        contender.add.s(n, 1).set(queue=f"queue-{n % QUEUES}") for n in range(10 * QUEUES)
    )
    many = costs(contender, options.seconds)
    if (waiting := contender.waiting()) != 10 * QUEUES:
        raise Failed(f"{waiting} tasks wait, not {10 * QUEUES}")
    return Reading(task=sum(many.values()) / sum(few.values()))


def _cost_of_adding(contender: LiteqFast, name: str) -> float:
    """Return the seconds of processor time to add one schedule."""
    times = []
    for n in range(TRIES):
        begin = time.process_time()
        entry = contender.app.schedules.add(f"{name}-{n}", 60.0, contender.add, (n, 1))
        times.append(time.process_time() - begin)
        if entry.name != f"{name}-{n}":
            raise Failed(f"{entry.name} was added")
    return median(times)
