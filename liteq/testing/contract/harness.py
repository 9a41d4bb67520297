"""The base of the contract's tests: a broker, a clock, a worker, and short verbs for them."""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any
from unittest import SkipTest

from ...brokers.base import Broker, Claim, DecideRescue, Rescue
from ...model.message import Delivery, Message, Receipt, Record
from ...model.outcome import Kind, Outcome, Policy, Settlement
from ...states import Phase
from ...support.clock import Clock, ManualClock
from ...worker.decide import Trace, decide_rescue

KEEP = 60.0  # seconds that a finished task is kept, where a test does not say
LOST = Outcome(Kind.LOST, note="its worker died", traceback="its worker died")


class Harness:
    """One broker with one clock and one worker for each test."""

    def make_broker(self, clock: ManualClock) -> Broker:
        """Return a broker with an empty store that uses `clock`."""
        raise NotImplementedError

    def kill_worker(self, broker: Broker, worker: int) -> None:
        """Make the store believe that the process of `worker` has died.

        `worker` is from `register_killable`.
        """
        raise NotImplementedError

    def miss_heartbeats(self, broker: Broker, worker: int) -> None:
        """Make the store believe that no heartbeat of `worker` has come for hours."""
        self.clock.advance(1_000_000)

    def restart_machine(self, broker: Broker, worker: int) -> None:
        """Make the store believe that `worker` died with its machine, which is this one.

        `worker` as for `kill_worker`. A broker that cannot tell need not define this.
        """
        raise SkipTest("this broker cannot tell that a worker died with its machine")

    def register_killable(self, broker: Broker) -> int:
        """Register a worker that `kill_worker` can kill."""
        return broker.register("killable", "{}")

    # Made at first use, so that a subclass can use fixtures of any kind to prepare them.

    @cached_property
    def clock(self) -> ManualClock:
        return ManualClock()

    @cached_property
    def broker(self) -> Broker:
        return self.make_broker(self.clock)

    @cached_property
    def worker(self) -> int:
        return self.broker.register("worker", "{}")

    def teardown_method(self) -> None:
        """Close the broker. pytest calls it after each test."""
        self.broker.close()

    # sending

    def message(self, id: str = "a", **fields: Any) -> Message:
        """Return a message with `fields`, and defaults for the others."""
        usual = {"task": "task", "payload": b"payload", "serializer": "json", "queue": "celery"}
        return Message(id, **{**usual, **fields})

    def send(self, *ids: str, **fields: Any) -> None:
        """Enqueue a message for each id, all with the same `fields`."""
        self.broker.enqueue([self.message(id, **fields) for id in ids])

    # working

    def claim_request(self, limit: int = 10, queues: Sequence[str] = ("celery",)) -> Claim:
        """Return a request of `self.worker` for tasks."""
        return Claim(self.worker, tuple(queues), limit)

    def claim(self, limit: int = 10, queues: Sequence[str] = ("celery",)) -> list[Delivery]:
        """Claim with `self.worker`."""
        return self.broker.claim(self.claim_request(limit, queues))

    def claim_one(self) -> Delivery:
        """Claim, and expect exactly one task."""
        (delivery,) = self.claim()
        return delivery

    def success(self, delivery: Delivery, result: bytes = b"result", **fields: Any) -> Settlement:
        """Return the settlement of a task that succeeded now."""
        place = delivery.place
        kept = {"keep_until": self.clock() + KEEP, "lost": delivery.lost, "old_place": place}
        fields = {**kept, **fields}
        return Settlement(delivery.receipt, Phase.SUCCEEDED, self.clock(), result, "json", **fields)

    def retry(self, delivery: Delivery, eta: float | None = None, **fields: Any) -> Settlement:
        """Return the settlement of a task that is to run again, at `eta` or at once."""
        message = delivery.message
        again = message._replace(eta=eta, retries=message.retries + 1, **fields)
        phase = Phase.READY if eta is None else Phase.SCHEDULED
        return Settlement(
            delivery.receipt,
            phase,
            self.clock(),
            retry=again,
            lost=delivery.lost,
            why="retry",
            old_place=delivery.place,
        )

    def settle(self, *settlements: Settlement) -> list[Receipt]:
        """Settle; return the receipts that were refused."""
        return self.broker.settle(settlements).refused

    def finish(self, *ids: str, **fields: Any) -> None:
        """Send a task for each id and settle it as succeeded."""
        self.send(*ids)
        assert self.settle(*(self.success(each, **fields) for each in self.claim(len(ids)))) == []

    def claim_and_die(self, *, with_machine: bool = False) -> list[Delivery]:
        """Claim with a worker whose process then dies; return its deliveries."""
        worker = self.register_killable(self.broker)
        held = self.broker.claim(Claim(worker, ("celery",), 10))
        (self.restart_machine if with_machine else self.kill_worker)(self.broker, worker)
        return held

    def rescue(
        self,
        max_lost: int = 3,
        keep: float | None = KEEP,
        started: Collection[int] | None = None,
    ) -> list[str]:
        """Rescue; return the ids, sorted. `started`: tokens of the claims that had started."""
        rescued = self.broker.rescue(rescuing(self.clock, max_lost, keep, started))
        return sorted(each.message.id for each in rescued)

    # reading

    def record(self, id: str = "a") -> Record:
        """Return the record of a task, which must exist."""
        (record,) = self.broker.fetch([id])
        assert record is not None, f"{id} is unknown"
        return record

    def phase(self, id: str = "a") -> Phase:
        """Return the phase of a task."""
        return self.record(id).phase

    def known(self, *ids: str) -> list[str]:
        """Return those of `ids` that the store knows."""
        return [each.message.id for each in self.broker.fetch(ids) if each]


def rescuing(
    clock: Clock,
    max_lost: int = 3,
    keep: float | None = KEEP,
    started: Collection[int] | None = None,
) -> DecideRescue:
    """Return what decides a rescue, as a worker with these settings does.

    `started`: tokens of the claims that had started; None: unknown.
    """
    tokens = None if started is None else frozenset(started)
    policy = Policy(keep, keep, max_lost)

    def decide(info: str, held: Sequence[Delivery], restarted: bool) -> Rescue:
        trace = Trace(tokens, restarted=restarted)
        return decide_rescue(held, trace, lambda *_: LOST, policy, clock())

    return decide


def ids(deliveries: Sequence[Delivery]) -> list[str]:
    """Return the ids of `deliveries`, in order."""
    return [each.message.id for each in deliveries]
