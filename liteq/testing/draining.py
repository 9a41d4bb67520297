"""Run what waits, here and now."""

from collections.abc import Iterator, Sequence
from itertools import islice

from ..app import LiteQ
from ..brokers.base import Broker, Claim
from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from ..states import Phase
from ..worker.decide import decide, policy_of
from ..worker.runner import Runner

_NAME = "drain"  # what `self.request.hostname` says, and the record of a task


def drain(app: LiteQ, queues: Sequence[str] | None = None, limit: int | None = None) -> int:
    """Run the tasks of `app` that are ready, in this thread, until none is.

    What they send is run as well, and so is what has become due by the clock of `app.broker`;
    what is to run later stays. Nothing is raised: results and errors are in the store, as after
    a worker's run.

    `queues`: the names of those to empty; all of them unless given. `limit`: how many tasks to run
    at most. Answers how many tasks were taken and settled.
    """
    broker = app.broker

    def report(id: str, state: str, meta: bytes, serializer: str) -> None:
        broker.report(id, state, meta, serializer)

    runner = Runner(app, hostname=_NAME, describe=False, report=report)
    policy = policy_of(app.conf)
    settled = 0
    worker = broker.register(_NAME, "{}")
    try:
        for delivery in islice(_ready(broker, worker, queues), limit):
            outcome = _run(delivery, runner, broker.clock())
            broker.settle([decide(delivery, outcome, policy, broker.clock())])
            settled += 1
    finally:
        broker.unregister(worker)
    return settled


def _ready(broker: Broker, worker: int, queues: Sequence[str] | None) -> Iterator[Delivery]:
    """Claim one task after the other: each may send something that goes before the next."""
    while names := _waiting(broker, queues):
        while claimed := broker.claim(Claim(worker, names, 1)):
            yield claimed[0]


def _waiting(broker: Broker, queues: Sequence[str] | None) -> tuple[str, ...]:
    """The queues (of `queues`, if given) in which something is ready."""
    broker.promote()
    ready = (each.queue for each in broker.counts() if each.phase is Phase.READY)
    return tuple(queue for queue in ready if queues is None or queue in queues)


def _run(delivery: Delivery, runner: Runner, now: float) -> Outcome:
    expires = delivery.message.expires
    if expires is not None and expires <= now:
        return Outcome(Kind.EXPIRED)
    return runner.run(delivery)
