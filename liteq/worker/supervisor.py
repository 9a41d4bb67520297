"""The worker's one event loop: claim, hand out, collect, settle.

It is the only writer of what becomes of tasks, and never decodes what users send. Batches form
by themselves: each turn settles all that has come in and claims what is free, in one transaction.
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from selectors import EVENT_READ, BaseSelector, DefaultSelector
from typing import TypeVar

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker, Claim, Listener
from ..exceptions import BrokerError, BrokerRefused
from ..model.message import Delivery
from ..model.outcome import Kind, Outcome, Settlement
from ..pools import Pool
from ..pools.base import Death, PoolEvents
from ..support.wakeup import Wakeup
from .adjusting import Adjustable
from .batching import Batching
from .completion import has_succeeded
from .control import State
from .controlled import Controlled
from .decide import decide_unstorable
from .decisions import Decisions, Sinks
from .heartbeat import Heartbeat
from .isolation import Isolation
from .lifecycle import Lifecycle
from .maintenance import Maintenance
from .obeying import Obeying
from .orders import Orders
from .outcomes import lost_outcome, unstorable_outcome
from .plan import Plan
from .releases import Releases
from .shutdown import Shutdown
from .state_reports import StateReports
from .statistics import WorkerStatistics
from .step_requests import StepRequests
from .task_log import TaskLog, logger
from .watchdog import REVOKED, Watchdog
from .writer import Writer, Written

T = TypeVar("T")
Closable = Wakeup | BaseSelector | Listener | Heartbeat

_POLL_EVERY = 1.0  # seconds between two polls of the store, should a notification be lost
_STOPPING_POLL = 0.1  # seconds between two looks at what still runs, during a shutdown


class Supervisor(Adjustable):
    """Runs deliveries of `broker` in `pool` until it is stopped. `state`: what commands get."""

    def __init__(
        self, broker: Broker, pool: Pool, plan: Plan, lifecycle: Lifecycle, state: State
    ) -> None:
        super().__init__()
        self.broker = broker
        self.pool: Pool = pool
        self.plan: Plan = plan
        self.lifecycle = lifecycle
        self.log: TaskLog = TaskLog()
        self.done: int = 0
        self._reported_done = 0  # the `done` that the last heartbeat has reported
        self._batching = Batching()
        self._isolation = Isolation(pool, plan.policy)
        self._watchdog = Watchdog(pool, plan.limits, self._batching)
        self._shutdown = Shutdown(pool, plan.grace)
        self._store = StoreBackoff(logger)
        self._wakeup = Wakeup()
        self._selector = DefaultSelector()
        self._open: list[Closable] = [self._wakeup, self._selector]
        self._steps = StepRequests(pool)
        self._writer = Writer(broker, self._store, self._steps, self._replace_refused)
        self._returned: list[Delivery] = []  # still to be handed out again, or released
        self._releases = Releases(broker, self._store)
        self._reports = StateReports(broker, self._store)
        self._statistics = WorkerStatistics(broker)
        sinks = Sinks(self._writer, self._steps, self._batching, self._statistics)
        self._decisions = Decisions(broker.clock, plan.policy, sinks)
        self._notice = False  # a notification came that other workers may not have got
        self._only_idle = False  # what was left over fits only an idle slot: claim for these alone
        self._load_to_terminate = False
        self._poll_at = 0.0
        obeying = Obeying(Controlled(state, self), self._wakeup.set)
        self._orders = Orders(broker, self._store, obeying, self.describe)

    # start and stop

    def serve(self) -> None:
        """Work until `stop` is called and what runs is done."""
        try:
            self.lifecycle.ready()
            while not self._shutdown.complete(busy=self._busy()):
                self.turn()
                if self._shutdown.requested:
                    self._announce_stop()
        finally:
            self._announce_stop()
            self.finish()
            self.lifecycle.stopped()

    def start(self) -> None:
        """Enter the store, start the slots."""
        try:
            self._enter()
        except BaseException:
            self.pool.close()
            self._close()
            raise

    def _enter(self) -> None:
        self._selector.register(self._wakeup, EVENT_READ, self._wakeup.clear)
        self.pool.start(self._selector)  # first: processes come up while the store is opened
        info = json.dumps(self.describe())
        self.worker: int = self._wait_for_store(lambda: self.broker.register(self.plan.name, info))
        try:
            self._listener = self._wait_for_store(lambda: self.broker.work_listener(self.worker))
        except BaseException:
            with suppress(BrokerError):
                self.broker.unregister(self.worker)
            raise
        self._open.append(self._listener)
        self._orders.worker = self.worker
        self._maintenance = Maintenance(self.broker, self.plan, self._statistics)
        self._listener.watch(self._selector, self._notified)
        self._heartbeat = Heartbeat(
            self.broker, self.worker, self.describe, runs_tasks=self.pool.in_loop
        )
        self._open.append(self._heartbeat)
        self._heartbeat.start()

    def _wait_for_store(self, work: Callable[[], T]) -> T:
        """Return what `work` returns; retry while the store is locked or away, until stopped."""
        return self._store.insist(work, self._wakeup, lambda: self._shutdown.requested)

    def stop(self, *, force: bool = False, why: str = "") -> None:
        self._shutdown.request(cold=force, why=why)
        self._wakeup.set()

    def _announce_stop(self) -> None:
        self._shutdown.announce()
        self.lifecycle.stopping(force=self._shutdown.cold)

    def finish(self) -> None:
        """Leave the store: what is held goes back, and nothing is charged for it."""
        try:
            self.pool.close()
            self._collect()
            # Also while the store is left alone: this is the last chance.
            self._returned += self._writer.close()
            self._releases.add([*self._returned, *self._isolation.take()])
            self._releases.write()
            self._orders.finish()
            self._heartbeat.close()
            self.broker.unregister(self.worker)
            self._statistics.write()  # last: to leave the store counts more
        except BrokerError as exc:
            # Still registered, so that what it holds is rescued: to release a task that has ended
            # would run it again.
            logger.error("worker stopped without leaving the store: %s", exc)
        finally:
            self._close()

    def _close(self) -> None:
        while self._open:
            self._open.pop().close()

    def _busy(self) -> bool:
        return self._runs_something() or not self._writer.idle

    def _runs_something(self) -> bool:
        return any(slot.holding for slot in self.pool.slots)

    # one turn

    def turn(self) -> None:
        """Wait for something to happen, then do all that it asks for."""
        self._heartbeat.turned()
        start_in = self.pool.tend()
        for key, _ in self._selector.select(self._pause(start_in)):
            key.data()
        self._collect()
        self._write()
        self._returned += self._isolation.take()
        if self._returned:
            self._releases.add(self._hand_out(self._returned))
            self._returned = []
        if not self._store.active:
            self._releases.write()
        self._tend()  # last: what waits for a slot, or for its result, comes first

    def _pause(self, start_in: float | None) -> float:
        """Return the seconds until something is due, if nothing is notified before.

        `start_in`: seconds until the pool wants to be tended again.
        """
        now = time.monotonic()
        if self._writer.pending:
            return 0.0  # what has come in is decided while the store works, and then its reply read
        if self._store.active:
            waits = [self._store.retry_at - now]
        elif self._releases.waiting or (self._may_claim and self._room()):
            return 0.0
        else:
            waits = [self._poll_at - now, self._maintenance.due - now]
        waits += [each for each in (start_in, self._watchdog.next_check()) if each is not None]
        if self._shutdown.requested:
            waits.append(_STOPPING_POLL)
        return max(min(waits), 0.0)

    def _notified(self) -> None:
        self._listener.clear()
        if self._listener.ordered():
            self._orders.notified()
        self._may_claim = self._notice = True
        self._note_changes()

    def _note_changes(self) -> None:
        """Look soon whether a task is to be ended here, or an eta is due earlier."""
        # What is claimed from now on was not revoked before. (An idle worker saves 30 us a task.)
        holds = bool(self._returned) or self._isolation.active or self._busy()
        self._load_to_terminate = self._load_to_terminate or holds
        self._maintenance.notified()

    def _tend(self) -> None:
        if self._renewing or self._redefined is not None:
            self._load_new_code()
        self._reports.write()  # what could not be written while the store was away
        if not self._store.active and time.monotonic() >= self._poll_at:
            self._poll_at = time.monotonic() + _POLL_EVERY
            self._store.attempt("poll", self._poll)
        if not self._store.active and self._load_to_terminate:
            self._load_to_terminate = not self._store.attempt(
                "look", lambda: self._watchdog.load_to_terminate(self.broker, self.worker)
            )
        if not self._store.active and time.monotonic() >= self._maintenance.due:
            self._maintenance.run(self._store)
        if self._orders.due and not self._store.active:
            self._orders.serve()
        if self.done != self._reported_done and not self._busy():
            self._reported_done = self.done
            self._heartbeat.hurry()
        self._watchdog.check(stopping=self._shutdown.requested)
        self._shutdown.enforce_grace()

    def _poll(self) -> None:
        if self._listener.missed():
            self._may_claim = True
            self._note_changes()
        if self._listener.ordered():
            self._orders.notified()
        self._rescale()

    # in

    def _collect(self) -> None:
        """Decide what becomes of all that the pool has finished, returned or lost."""
        events = self.pool.collect()
        if not events:
            return
        if interrupted := self._shutdown.interrupted(events.finished):
            self._returned += interrupted
            events.finished = [each for each in events.finished if each[0] not in interrupted]
        self.done += self._decisions.add_all(events)
        self._returned += events.returned
        self._reports.add(events.updates)
        self._reports.write()
        for description in events.renewals:
            self._code_renewed(description)
        for death in events.deaths:
            self._child_died(death)
        self._log_ended(events)

    def _log_ended(self, events: PoolEvents) -> None:
        verbose = self.log.verbose
        if verbose:
            for each in events.succeeded:
                self.log.finished(each.delivery, each.outcome, each.slot)
        for delivery, outcome, slot in events.finished:
            if verbose or outcome.kind is not Kind.SUCCEEDED:
                self.log.finished(delivery, outcome, slot)

    def _child_died(self, death: Death) -> None:
        """Charge the task that the child process was in; what waited behind it goes back."""
        self._returned += death.waiting
        delivery, kind = death.running, death.kind
        if delivery is None:
            return
        if kind is Kind.REQUEUED:
            if delivery.acks_late:
                self._returned.append(delivery)
                return
            kind = Kind.LOST  # it may not run again, so this was its end
        if has_succeeded(self.broker, delivery):
            return  # by a transaction of its own, and was killed before it could tell
        plan = self.plan
        outcome = lost_outcome(
            delivery, plan.policy, plan.serializer, death.reason, kind, death.ran
        )
        self._end(delivery, outcome, death.slot)

    # out

    def _room(self) -> int:
        if self._shutdown.requested or self._isolation.active or not self.plan.queues:
            return 0
        if self._only_idle:
            return sum(slot.open and not slot.holding for slot in self.pool.slots)
        return self._batching.room(self.pool.slots)

    def _claim(self) -> Claim | None:
        room = self._room() - len(self._returned) if self._may_claim else 0
        if room <= 0:
            return None
        self._may_claim = False  # from now on: a notification comes perhaps before the reply
        return Claim(self.worker, self.plan.queues, room)

    def _write(self) -> None:
        """Write what is known and claim what is free; what cannot be written now is kept."""
        if received := self._writer.receive():
            self._take(received)
        if self._store.active:
            return
        claim = self._claim()
        if self._notice and claim is None and self._may_claim:
            self._listener.decline()
        self._notice = False
        if (self._writer.settlements or claim) and not self._start_writing(claim):
            self._take(self._writer.write(claim))

    def _start_writing(self, claim: Claim | None) -> bool:
        """Send what is to be written without waiting for the reply, if tasks can end meanwhile."""
        if self.pool.in_loop or not self._runs_something():
            return False
        return self._writer.start(claim)

    def _take(self, written: Written) -> None:
        self._may_claim |= written.may_claim_more
        claimed = written.claimed or []
        if written.settlements or claimed:  # and it was not only one more look
            self._maintenance.busy(len(written.settlements))
        self._returned += self.plan.definitions.apply_all(claimed)

    def _replace_refused(self, settlement: Settlement, exc: BrokerRefused) -> Settlement:
        logger.error("task %s failed: %s", self._writer.id_of(settlement.receipt), exc)
        outcome = unstorable_outcome(exc, self.plan.serializer)
        return decide_unstorable(settlement, outcome, self.plan.policy)

    def _hand_out(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Give `deliveries` to slots; return those that no slot can take."""
        if not deliveries:
            return []
        look = self._watchdog.has_any_to_end  # once: a call for each task would take 0.3 us
        fresh = [
            each
            for each in deliveries
            if not ((look or each.expires is not None) and self._ends_unrun(each))
        ]
        if self._shutdown.requested:
            return fresh
        ready, others = self._isolation.admit(fresh)
        batches, left = self._batching.share(ready, self.pool.slots)
        self._only_idle = bool(left)
        if batches and self.pool.in_loop:
            self._listener.decline()  # until they are done, nobody hears a notification
            self._may_claim = True  # then, or none would come again
        for slot, batch in batches:
            self.pool.submit(slot, batch)
            if self.log.verbose:
                for delivery in batch:
                    self.log.received(delivery)
        return left + others

    def _ends_unrun(self, delivery: Delivery) -> bool:
        """End `delivery` if it has expired, or was revoked or taken after it was claimed."""
        expires = delivery.expires
        if self._watchdog.is_to_end(delivery):
            self._end(delivery, Outcome(Kind.TERMINATED, note=REVOKED))
        elif expires is not None and expires <= self.broker.clock():
            self._end(delivery, Outcome(Kind.EXPIRED))
        else:
            return False
        return True

    def _end(self, delivery: Delivery, outcome: Outcome, slot: int | None = None) -> None:
        """Settle a task that is not to be run, or whose process can no longer report its end."""
        if self._watchdog.was_taken(delivery):
            self.log.taken(delivery)  # another worker settles it
            return
        self._decisions.add(delivery, outcome)
        self.log.finished(delivery, outcome, slot)
        self.lifecycle.task_ended(delivery, outcome)

    def describe(self) -> dict[str, object]:
        """Return what the store shows of this worker."""
        return {
            **self.plan.info,
            "done": self.done,
            "slots": self.most_slots,
            "processes": self.pool.pids(),
            "board": self.pool.scoreboard,  # as it is called in the store
        }
