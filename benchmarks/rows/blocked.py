"""Does a ready task cost more when a hundred thousand others wait for a limit?"""

from contenders.liteq_ import LiteqFast
from processes import Failed

from .backlog import costs
from .base import Options, Reading

BLOCKED = 100_000
CHUNK = 10_000
KEY = "one at a time"


def measure(contender: LiteqFast, options: Options) -> Reading:
    """Return the cost per ready task beside blocked ones, as a multiple of that beside none."""
    alone = costs(contender, options.seconds)
    _block(contender)
    beside = costs(contender, options.seconds)
    if (waiting := contender.app.limits.get(KEY).waiting) != BLOCKED - 1:
        raise Failed(f"{waiting} tasks wait for the limit, not {BLOCKED - 1}")
    return Reading(
        enqueue=beside["enqueue"] / alone["enqueue"],
        run=beside["run"] / alone["run"],
        task=sum(beside.values()) / sum(alone.values()),
        alone=1e6 * sum(alone.values()),
        beside=1e6 * sum(beside.values()),
    )


def _block(contender: LiteqFast) -> None:
    """Send tasks under one limit; the first of them runs, and goes on doing so."""
    from liteq import Limit
    from liteq.brokers.base import Claim

    limits = [Limit(KEY, running=1)]
    for _ in range(0, BLOCKED, CHUNK):
        contender.app.enqueue_many(contender.add.s(1, 1).set(limits=limits) for _ in range(CHUNK))
    broker, queue = contender.app.broker, contender.app.conf.task_default_queue
    claimed = broker.claim(Claim(broker.register("blocks", "{}"), (queue,), CHUNK))
    if len(claimed) != 1:
        raise Failed(f"{len(claimed)} tasks of the limit were claimed, not 1")
