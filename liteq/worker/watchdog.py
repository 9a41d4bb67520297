"""The watch over running tasks: time limits, revocations, claims that were taken, long tasks."""

import time
from collections.abc import Sequence

from ..brokers.base import Broker, ToTerminate
from ..model.message import Delivery, Message, Receipt
from ..model.outcome import Kind
from ..pools import Pool, Slot
from ..pools.base import Kill
from .batching import Batching
from .task_log import logger
from .timelimits import TimeLimits

_LONG = 0.020  # seconds in a task after which what waits behind it is recalled
# Seconds after which a slot that starts nothing is taken for stopped, and all it holds is recalled.
# A child may wait long for a processor: if it lost its tasks each time, none would ever be run.
_STOPPED = 0.250
REVOKED = "it was revoked while it ran"
_TAKEN = "another worker was given it while it ran"


class Watchdog:
    """Kills what runs too long, was revoked or taken, and recalls what waits behind a long task.

    `limits`: the hard time limits. `batching` learns which tasks are long.
    """

    def __init__(self, pool: Pool, limits: TimeLimits, batching: Batching) -> None:
        self._pool = pool
        self._limits = limits
        self._batching = batching
        self._to_end: dict[Receipt, ToTerminate] = {}
        # By slot that starts nothing: the ticket that is next there, and since when.
        self._unstarted: dict[int, tuple[int, float]] = {}

    def set_limits(self, limits: TimeLimits) -> None:
        """Use `limits` from now on."""
        self._limits = limits

    @property
    def has_any_to_end(self) -> bool:
        """Return whether any claim was revoked or taken from this worker."""
        return bool(self._to_end)

    def is_to_end(self, delivery: Delivery) -> bool:
        """Return whether `delivery` was revoked or taken from this worker after it was claimed."""
        return delivery.receipt in self._to_end

    def was_taken(self, delivery: Delivery) -> bool:
        """Return whether the claim of `delivery` was taken from this worker."""
        found = self._to_end.get(delivery.receipt)
        return found is not None and found.taken

    def load_to_terminate(self, broker: Broker, worker: int) -> None:
        """Ask the store which tasks of `worker` were revoked with `terminate`, or taken from it."""
        found = {each.receipt: each for each in broker.to_terminate(worker)}
        self._log([each for receipt, each in found.items() if receipt not in self._to_end])
        self._to_end = found

    def _log(self, found: Sequence[ToTerminate]) -> None:
        if taken := sum(each.taken for each in found):
            logger.warning(
                "the lease of this worker ended, as it was stopped or cut off from the store for "
                "too long: %d tasks that it held were given to others",
                taken,
            )
        if not self._pool.kills:
            for each in found:
                what = "taken" if each.taken else "revoked"
                logger.warning(
                    "task %s was %s, but this pool cannot end it: it goes on, unless it asks "
                    "self.is_revoked()",
                    each.id,
                    what,
                )

    def next_check(self) -> float | None:
        """Return the seconds until a slot has to be checked; None when nothing runs too long."""
        return min(
            (wait for slot in self._pool.slots if (wait := self._check_in(slot)) is not None),
            default=None,
        )

    def _check_in(self, slot: Slot) -> float | None:
        if not slot.holding:
            return None
        if len(slot.holding) > 1:
            return _LONG
        running = self._pool.running(slot)
        if running is None:
            return _LONG  # it has not started, so its time has not either
        limit = self._limit(running.delivery.message)
        return None if limit is None else limit - running.seconds

    def check(self, *, stopping: bool) -> None:
        """Check all slots that are busy.

        `stopping`: what waits behind a running task is recalled at once, not only behind a long
        one. A slot that has started nothing is given its 250 ms also then.
        """
        for slot in self._pool.slots:
            if slot.holding:
                self._check(slot, stopping=stopping)

    def _check(self, slot: Slot, *, stopping: bool) -> None:
        running = self._pool.running(slot)
        if running is None:
            self._check_unstarted(slot)
            return
        delivery, seconds = running
        if self.is_to_end(delivery):
            reason = _TAKEN if self.was_taken(delivery) else REVOKED
            self._pool.kill(slot, Kill(delivery, Kind.TERMINATED, reason))
            return
        limit = self._limit(delivery.message)
        if limit is not None and seconds >= limit:
            reason = f"it ran longer than its time limit of {limit:g} s"
            self._pool.kill(slot, Kill(delivery, Kind.OVERDUE, reason))
        # No task waits behind one that turned out long while another slot may be idle.
        long = seconds > _LONG or stopping or self._holds_one_to_end(slot)
        if long and next(reversed(slot.holding.values())) is not delivery:
            self._batching.note(delivery.task, seconds)
            self._pool.recall(slot)

    def _check_unstarted(self, slot: Slot) -> None:
        now, ticket = time.monotonic(), next(iter(slot.holding))
        seen, since = self._unstarted.get(slot.number, (None, now))
        if ticket != seen:
            self._unstarted[slot.number] = ticket, now
        elif now - since > _STOPPED and not slot.recalled:
            self._pool.recall(slot)

    def _holds_one_to_end(self, slot: Slot) -> bool:
        return bool(self._to_end) and any(map(self.is_to_end, slot.holding.values()))

    def _limit(self, message: Message) -> float | None:
        return self._limits.of(message) if self._pool.kills else None
