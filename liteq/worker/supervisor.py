"""The worker's one event loop: claim, hand out, collect, settle.

It is the only writer of what becomes of tasks, and never decodes what users send. Batches form
by themselves: each turn settles all that has come in and claims what is free, in one transaction.
"""

import json
import time
from collections.abc import Callable, Sequence
from selectors import EVENT_READ, DefaultSelector
from typing import NamedTuple, TypeVar

from ..beat.scheduler import Scheduler
from ..brokers.base import Broker, Claim
from ..exceptions import BrokerCorrupt, BrokerError, BrokerLocked, BrokerTooNew, BrokerUnreachable
from ..model.message import Delivery, Message, Receipt
from ..model.outcome import Kind, Outcome, Policy, Settlement
from ..pools import Pool, Slot
from ..pools.base import Death, Kill, StateUpdate
from ..serializers import Serializer
from ..support.wakeup import Wakeup
from .batching import Batching
from .deaths import lost_outcome
from .decide import decide
from .lifecycle import Lifecycle
from .log import TaskLog, logger
from .maintenance import Maintenance
from .timelimits import TimeLimits

T = TypeVar("T")

_LOOK_EVERY = 1.0  # seconds between two looks at the store for news that did not ring
_LONG = 0.020  # seconds in a task after which what waits behind it is recalled
_LAST_WORDS = 5.0  # seconds between TERM and KILL for what outlasts a warm stop's grace
_REVOKED = "it was revoked while it ran"
_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds before a store that failed is tried again


class Plan(NamedTuple):
    """What a worker does."""

    name: str
    queues: tuple[str, ...]
    policy: Policy
    info: dict[str, object]  # what `liteq inspect` shows of it
    serializer: Serializer  # of the errors that the supervisor itself has to tell
    limits: TimeLimits
    grace: float | None = None  # seconds that running tasks get at a warm stop; None: all they need
    scheduler: Scheduler | None = None  # None: others fire the periodic tasks


class Supervisor:
    """Runs deliveries of `broker` in `pool` until it is stopped."""

    def __init__(self, broker: Broker, pool: Pool, plan: Plan, lifecycle: Lifecycle) -> None:
        self.broker = broker
        self.pool = pool
        self.plan = plan
        self.lifecycle = lifecycle
        self.log = TaskLog()
        self.done = 0
        self._batching = Batching()
        self._wakeup = Wakeup()
        self._selector = DefaultSelector()
        self._outcomes: list[tuple[Delivery, Outcome]] = []
        self._settlements: list[Settlement] = []
        self._returned: list[Delivery] = []
        self._to_terminate: set[Receipt] = set()  # revoked, and still somewhere in the pool
        self._check_terminations = False
        self._news = True  # there may be something to claim
        self._narrow = False  # the head of the queue wants idle slots; room in busy ones is no use
        self._look_at = 0.0
        self._stopping: float | None = None  # since when
        self._forced = False
        self._urged = False  # TERM was sent to what still runs
        self._renewing = False
        self._failures = 0
        self._retry_at = 0.0

    # its life

    def run(self) -> None:
        """Enter the store, work, and leave it."""
        self.start()
        self.serve()

    def serve(self) -> None:
        """Work until `stop` is called and what runs is done."""
        try:
            self.lifecycle.ready()
            while not self._finished():
                self.turn()
                if self._stopping is not None:
                    self.lifecycle.stopping(force=self._forced)
        finally:
            self.lifecycle.stopping(force=self._forced)
            self.finish()
            self.lifecycle.stopped()

    def start(self) -> None:
        """Enter the store, start the slots."""
        try:
            self._enter()
        except BaseException:
            self.pool.close()
            raise

    def _enter(self) -> None:
        info = json.dumps(self.describe())
        self.worker = self._insist(lambda: self.broker.register(self.plan.name, info))
        self._listener = self._insist(lambda: self.broker.work_listener(self.worker))
        self._maintenance = Maintenance(
            self.broker, self.worker, self.plan.policy, self.describe, self.plan.scheduler
        )
        self._selector.register(self._listener.fileno(), EVENT_READ, self._notified)
        self._selector.register(self._wakeup, EVENT_READ, self._wakeup.clear)
        self.pool.start(self._selector)

    def _insist(self, work: Callable[[], T]) -> T:
        """Do `work`; while the store is locked or away, again and again until we are stopped."""
        while True:
            try:
                value = work()
            except (BrokerLocked, BrokerUnreachable) as exc:
                if self._stopping is not None:
                    raise
                self._failed(exc)
                self._wakeup.wait(self._retry_at - time.monotonic())
            else:
                self._recovered()
                return value

    def renew(self) -> None:
        """Load the application's code anew, slot by slot. From any thread or signal handler."""
        self._renewing = True
        self._wakeup.set()

    def stop(self, *, force: bool = False) -> None:
        """Stop when what runs is done; with `force`, at once. From any thread or signal handler."""
        self._forced = self._forced or force
        self._stopping = self._stopping or time.monotonic()
        self._wakeup.set()

    def finish(self) -> None:
        """Leave: what is held goes back to the store, uncharged."""
        try:
            self.pool.close()
            self._collect()
            self._settle(None)
            self._give_back(self._returned)
            self.broker.unregister(self.worker)
        except BrokerError as exc:  # whoever comes next rescues what was held
            logger.error("left without signing off: %s", exc)
        finally:
            self._listener.close()
            self._selector.close()
            self._wakeup.close()

    def _finished(self) -> bool:
        if self._stopping is None:
            return False
        busy = any(slot.holding for slot in self.pool.slots) or self._settlements
        return self._forced or not busy or self._out_of_grace(time.monotonic() - self._stopping)

    def _out_of_grace(self, waited: float) -> bool:
        """Whether what still runs has had its time, and after that its last words."""
        grace = self.plan.grace
        if grace is None or waited <= grace:
            return False
        if not self._urged and self.pool.kills:
            self._urged = True
            logger.warning("what still runs after %g s is ended, and goes back to its queue", grace)
            self.pool.terminate()
        return not self.pool.kills or waited > grace + _LAST_WORDS

    # one turn

    def turn(self) -> None:
        """Wait for something to happen, then do all that it asks for."""
        for key, _ in self._selector.select(self._pause()):
            key.data()
        self._collect()
        claim = self._claim()
        if self._settlements or claim:
            self._returned += self._settle(claim)
        if self._returned:
            self._give_back(self._hand_out(self._returned))
        self._tend()  # last: what waits for a slot, or for its result, comes first

    def _pause(self) -> float:
        """Seconds until something is due, if nothing rings before."""
        now = time.monotonic()
        if self._blocked():
            waits = [self._retry_at - now]
        elif self._news and self._room():
            return 0.0
        else:
            waits = [self._look_at - now, self._maintenance.due - now]
        tend = self.pool.tend()
        if tend is not None:
            waits.append(tend)
        waits += [wait for slot in self.pool.slots if (wait := self._watch_in(slot)) is not None]
        if self._stopping is not None:
            waits.append(0.1)
        return max(min(waits), 0.0)

    def _watch_in(self, slot: Slot) -> float | None:
        """In how many seconds `slot` wants to be looked at."""
        if not slot.holding:
            return None
        if len(slot.holding) > 1:
            return _LONG
        running = self.pool.running(slot)
        if running is None:
            return _LONG  # it has not begun, so its time has not either
        limit = self._limit(running.delivery.message)
        return None if limit is None else limit - running.seconds

    def _limit(self, message: Message) -> float | None:
        return self.plan.limits.of(message) if self.pool.kills else None

    def _notified(self) -> None:
        self._listener.clear()
        self._news = self._check_terminations = True
        self._maintenance.notified()

    def _tend(self) -> None:
        now = time.monotonic()
        if self._renewing:
            self._renew()
        if now >= self._look_at and not self._blocked():
            self._look_at = now + _LOOK_EVERY
            self._guarded(self._look)
        if self._check_terminations and not self._blocked():
            self._check_terminations = not self._guarded(self._find_terminations)
        if now >= self._maintenance.due and not self._blocked():
            self._guarded(self._maintenance.run)
        for slot in self.pool.slots:
            if slot.holding:
                self._watch(slot)

    def _renew(self) -> None:
        self._renewing = False
        if not self.pool.renew():
            logger.warning("this pool cannot load new code: restart the worker")

    def _look(self) -> None:
        if self._listener.missed():
            self._news = self._check_terminations = True

    def _find_terminations(self) -> None:
        """Learn which tasks were revoked while they run here."""
        found = {each.receipt for each in self.broker.to_terminate(self.worker)}
        if found and not self.pool.kills:
            for each in found - self._to_terminate:
                logger.warning("task number %s was revoked, but this pool cannot end it", each.key)
        self._to_terminate = found

    def _watch(self, slot: Slot) -> None:
        """See to what runs too long: for its limit, or for those that wait behind it."""
        running = self.pool.running(slot)
        if running is None:
            return
        message, seconds = running.delivery.message, running.seconds
        if running.delivery.receipt in self._to_terminate:
            self.pool.kill(slot, Kill(running.delivery, Kind.TERMINATED, _REVOKED))
            return
        limit = self._limit(message)
        if limit is not None and seconds >= limit:
            reason = f"it ran longer than its time limit of {limit:g} s"
            self.pool.kill(slot, Kill(running.delivery, Kind.OVERDUE, reason))
        # Nobody waits behind a task that turned out long while another slot may be idle.
        held = self._to_terminate and any(
            d.receipt in self._to_terminate for d in slot.holding.values()
        )
        long = seconds > _LONG or self._stopping is not None or held
        if long and len(slot.holding) > 1 and not slot.recalled:
            self._batching.note(message.task, seconds)
            self.pool.recall(slot)

    # in

    def _collect(self) -> None:
        news = self.pool.collect()
        if not news:
            return
        if self._urged:
            news.finished = self._excuse(news.finished)
        now = self.broker.clock()
        policy = self.plan.policy
        self._settlements += [decide(*each, policy, now) for each in news.finished]
        self._batching.note_all(
            (each.message.task, outcome.runtime) for each, outcome in news.finished
        )
        self.done += len(news.finished)
        self._returned += news.returned
        for told in news.updates:
            self._tell(told)
        for death in news.deaths:
            self._bury(death)
        verbose = self.log.verbose
        for delivery, outcome in news.finished:
            if verbose or outcome.kind is not Kind.SUCCEEDED:
                self.log.finished(delivery, outcome)

    def _excuse(self, ends: list[tuple[Delivery, Outcome]]) -> list[tuple[Delivery, Outcome]]:
        """Those that did not just fail because our TERM reached them, or what they had started."""
        cut = [
            delivery
            for delivery, outcome in ends
            if outcome.kind is Kind.FAILED and delivery.message.acks_late
        ]
        self._returned += cut
        return [(delivery, outcome) for delivery, outcome in ends if delivery not in cut]

    def _tell(self, told: StateUpdate) -> None:
        self._guarded(lambda: self.broker.report(*told))

    def _bury(self, death: Death) -> None:
        """A process died: what it was in is charged, what waited beside it is not."""
        self._returned += death.waiting
        delivery = death.running
        if delivery is None:
            return
        if death.kind is Kind.REQUEUED:
            if delivery.message.acks_late:
                self._returned.append(delivery)
                return
            death = death._replace(kind=Kind.LOST)  # it may not run again, so this was its end
        self._end(delivery, lost_outcome(death, self.plan.serializer))

    # out

    def _room(self) -> int:
        if self._stopping is not None:
            return 0
        if self._narrow:
            return sum(slot.up and not slot.holding for slot in self.pool.slots)
        return self._batching.room(self.pool.slots)

    def _claim(self) -> Claim | None:
        room = self._room() if self._news else 0
        return Claim(self.worker, self.plan.queues, room) if room else None

    def _settle(self, claim: Claim | None) -> list[Delivery]:
        """Write what is known and claim what is free; what cannot be written now is kept."""
        if self._blocked():
            return []
        settlements = self._settlements
        try:
            settled = self.broker.settle(settlements, claim)
        except BrokerError as exc:
            self._failed(exc)
            return []
        self._recovered()
        self._maintenance.busy()
        self._settlements = []
        for receipt in settled.refused:
            logger.warning("a claim was lost, its result is dropped: task number %s", receipt.key)
        if claim is not None and len(settled.claimed) < claim.limit:
            self._news = False
        if any(each.retry is not None for each in settlements):
            self._news = True  # some of them may be ready again
        return settled.claimed

    def _hand_out(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Give `deliveries` to slots; answer those that no slot can take."""
        if not deliveries:
            return []
        fresh = [each for each in deliveries if not (self._revoked(each) or self._expired(each))]
        if self._stopping is not None:
            return fresh
        plans, left = self._batching.share(fresh, self.pool.slots)
        self._narrow = bool(left)
        for slot, batch in plans:
            self.pool.submit(slot, batch)
            if self.log.verbose:
                for delivery in batch:
                    self.log.received(delivery)
        return left

    def _expired(self, delivery: Delivery) -> bool:
        expires = delivery.message.expires
        if expires is None or expires > self.broker.clock():
            return False
        self._end(delivery, Outcome(Kind.EXPIRED))
        return True

    def _revoked(self, delivery: Delivery) -> bool:
        """Whether it was revoked while it waited in a slot behind others."""
        if delivery.receipt not in self._to_terminate:
            return False
        self._end(delivery, Outcome(Kind.TERMINATED, note=_REVOKED))
        return True

    def _end(self, delivery: Delivery, outcome: Outcome) -> None:
        """It is not to be run, or its process cannot tell any more how it ended."""
        now = self.broker.clock()
        self._settlements.append(decide(delivery, outcome, self.plan.policy, now))
        self.log.finished(delivery, outcome)
        self.lifecycle.task_ended(delivery, outcome)

    def _give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Release what no slot here can take: another worker may have one that is idle."""
        self._returned = []
        if deliveries:
            receipts = [each.receipt for each in deliveries]
            if not self._guarded(lambda: self.broker.release(receipts)):
                self._returned = list(deliveries)

    # a store that fails

    def _guarded(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except BrokerError as exc:
            self._failed(exc)
            return False
        self._recovered()
        return True

    def _blocked(self) -> bool:
        """Whether the store has just failed, so that it is left alone for a while."""
        return time.monotonic() < self._retry_at

    def _failed(self, exc: BrokerError) -> None:
        if isinstance(exc, BrokerCorrupt | BrokerTooNew):
            raise exc  # no waiting mends it, and what is written now may be lost
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._retry_at = time.monotonic() + pause
        if self._failures == 0:
            logger.error("the store fails, trying again: %s", exc)
        self._failures += 1

    def _recovered(self) -> None:
        if self._failures:
            logger.warning("the store works again")
        self._failures, self._retry_at = 0, 0.0

    def describe(self) -> dict[str, object]:
        """What the store shows of this worker."""
        return {
            **self.plan.info,
            "done": self.done,
            "processes": self.pool.pids(),
            "scoreboard": self.pool.scoreboard,
        }
