"""Running the waiting tasks in the test's own thread: `drain`."""

from collections.abc import Iterator, Sequence
from itertools import islice

from ..app import LiteQ
from ..brokers.base import Broker, Claim
from ..model.message import Delivery
from ..model.outcome import Kind, Outcome
from ..pools.output import Outputs
from ..states import Phase
from ..worker.decide import decide, decide_output, policy_of
from ..worker.output import catch_output, release_output
from ..worker.runner import Runner

_NAME = "drain"  # in `self.request.hostname`, and in the record of a task


def drain(app: LiteQ, queues: Sequence[str] | None = None, limit: int | None = None) -> int:
    """Run the tasks of `app` that are ready, in this thread, until none is left.

    Tasks that they send are run as well, and so are those that are due by the clock of
    `app.broker`; tasks with a later eta stay. Errors of tasks are not raised: results, errors and
    what tasks print are in the store, as after a worker's run.

    `queues`: names of the queues to empty; all unless given. `limit`: how many tasks to run at
    most. Returns how many tasks were settled.
    """
    broker = app.broker

    def report(id: str, state: str, meta: bytes, serializer: str) -> None:
        broker.report(id, state, meta, serializer)

    outputs = Outputs()
    runner = Runner(app, hostname=_NAME, describe=False, report=report, outputs=outputs)
    policy = policy_of(app.conf)
    settled = 0
    worker = broker.register(_NAME, "{}")
    catch_output()
    try:
        for delivery in islice(_ready(broker, worker, queues), limit):
            outcome = _run(delivery, runner, broker.clock())
            now = broker.clock()
            printed = [decide_output(*each, now) for each in outputs.take()]
            broker.settle([*printed, decide(delivery, outcome, policy, now)])
            settled += 1
    finally:
        release_output()
        broker.unregister(worker)
    return settled


def _ready(broker: Broker, worker: int, queues: Sequence[str] | None) -> Iterator[Delivery]:
    """Claim one task after the other, as each may send some with a higher priority."""
    while names := _waiting(broker, queues):
        while claimed := broker.claim(Claim(worker, names, 1)):
            yield claimed[0]


def _waiting(broker: Broker, queues: Sequence[str] | None) -> tuple[str, ...]:
    """Return the queues (of `queues`, if given) in which tasks are ready."""
    broker.promote()
    ready = (each.queue for each in broker.counts() if each.phase is Phase.READY)
    return tuple(queue for queue in ready if queues is None or queue in queues)


def _run(delivery: Delivery, runner: Runner, now: float) -> Outcome:
    expires = delivery.message.expires
    if expires is not None and expires <= now:
        return Outcome(Kind.EXPIRED)
    return runner.run(delivery)
