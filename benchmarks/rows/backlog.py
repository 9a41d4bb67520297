"""Does a task cost more when ten million others wait?"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median

from contenders.liteq_ import LiteqFast
from processes import Failed

from .base import Options, Reading

FEW = 1_000
BATCH = 100  # tasks claimed and settled in one transaction
CHUNK = 50_000
KEEP = 3_600.0  # seconds that a result is kept


def measure(contender: LiteqFast, options: Options) -> Reading:
    """Return the cost per task with `options.backlog` waiting, as a multiple of that with 1,000."""
    _fill(contender, FEW)
    few = costs(contender, options.seconds)
    _fill(contender, options.backlog - FEW)
    many = costs(contender, options.seconds)
    if (waiting := contender.waiting()) != options.backlog:
        raise Failed(f"{waiting} tasks wait, not {options.backlog}")
    return Reading(
        enqueue=many["enqueue"] / few["enqueue"],
        run=many["run"] / few["run"],
        task=sum(many.values()) / sum(few.values()),
        few=1e6 * sum(few.values()),
        many=1e6 * sum(many.values()),
    )


def _fill(contender: LiteqFast, count: int) -> None:
    for first in range(0, count, CHUNK):
        contender.enqueue_bulk(min(CHUNK, count - first))
        contender.sent.clear()  # ten million results would not fit in memory


def costs(contender: LiteqFast, seconds: float) -> Reading:
    """Return the seconds per task to enqueue it, and to claim and settle it; the backlog stays."""
    run = _runner(contender)
    rounds, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        contender.enqueue_each(BATCH)
        middle = time.perf_counter()
        run()
        rounds.append((middle - begin, time.perf_counter() - middle))
        contender.sent.clear()
    enqueue, claim_and_settle = (median(times) / BATCH for times in zip(*rounds, strict=True))
    return Reading(enqueue=enqueue, run=claim_and_settle)


def _runner(contender: LiteqFast) -> Callable[[], None]:
    """Return what claims and settles a batch, as a worker's supervisor would."""
    from liteq.brokers.base import Claim
    from liteq.model.outcome import Settlement
    from liteq.states import Phase

    broker = contender.app.broker
    settled = partial(Settlement, phase=Phase.SUCCEEDED, result=b"1", result_serializer="json")
    queue = contender.app.conf.task_default_queue
    claim = Claim(worker=broker.register("bench", "{}"), queues=(queue,), limit=BATCH)

    def run() -> None:
        deliveries, now = broker.claim(claim), time.time()
        if len(deliveries) != BATCH:
            raise Failed(f"{len(deliveries)} tasks were claimed, not {BATCH}")
        done = [settled(delivery.receipt, at=now, keep_until=now + KEEP) for delivery in deliveries]
        if refused := broker.settle(done).refused:
            raise Failed(f"{len(refused)} claims were lost")

    return run
