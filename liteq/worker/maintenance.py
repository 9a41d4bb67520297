"""The periodic duties of a worker: promote, fire, rescue, upkeep, sweep, count."""

import time
from collections.abc import Callable
from functools import partial

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker
from ..exceptions import BrokerError
from ..support.clock import JumpDetector
from .plan import Plan
from .rescue import rescue
from .statistics import EVERY, WorkerStatistics
from .sweeping import SweepPace
from .task_log import logger

# Seconds. Both as often as the supervisor polls, and so in the same turn: each time that an idle
# worker wakes costs 150 us and more, which four upkeeps a second made 0.15 % of a core.
_RESCUE_EVERY = _UPKEEP_EVERY = 1.0
_IDLE_AFTER = 5.0
_SWEEP_AFTER = 2000  # tasks that were settled: as many may be due by now
_AFTER_OUTAGE = 1.0  # seconds before a duty is tried again for which the store failed
_AFTER_ERROR = 30.0  # seconds before a duty is tried again that raised what is no BrokerError
_FAR = 3600.0  # seconds: the longest sleep until an eta
# Seconds: a busy worker is notified often, nearly always of what is ready at once. To ask each time
# what is due takes 30 us, a tenth of all that it does for a task.
_MIN_PROMOTE_INTERVAL = 0.005
_MIN_FIRE_INTERVAL = 0.1

Duty = Callable[[], float]
"""A method that returns the seconds after which it is due again."""


class Maintenance:
    """The timers of one worker; `due` is when the next one expires (`time.monotonic`)."""

    def __init__(self, broker: Broker, plan: Plan, statistics: WorkerStatistics) -> None:
        self._broker = broker
        self._plan = plan
        self._statistics = statistics
        self._scheduler = plan.scheduler
        self._clock_jumps = JumpDetector(broker.clock)
        self._promoted_at = self._fired_at = self._counted_at = 0.0
        now = self._busy_at = time.monotonic()
        self._idle_upkeep_done = False
        self._settled = 0  # tasks, since the last sweep that they were the reason of
        self._sweep_pace = SweepPace()
        self._at = {
            self._rescue: now,
            self._promote: now,
            self._upkeep: now,
            self._sweep: now + _UPKEEP_EVERY,  # the first tasks come first
            self._count: now + _FAR,
        }
        if plan.scheduler is not None:
            self._at[self._fire] = now

    @property
    def due(self) -> float:
        """Return when the next duty is due (`time.monotonic`)."""
        return min(self._at.values())

    def notified(self) -> None:
        """Look again soon: there may be an eta or a schedule that is due earlier."""
        now = time.monotonic()
        self._hurry(self._promote, max(now, self._promoted_at + _MIN_PROMOTE_INTERVAL))
        self._hurry(self._fire, max(now, self._fired_at + _MIN_FIRE_INTERVAL))

    def _hurry(self, duty: Duty, at: float) -> None:
        if duty in self._at:
            self._at[duty] = min(self._at[duty], at)

    def busy(self, settled: int) -> None:
        """Note that the worker is not idle, and has settled so many tasks."""
        self._busy_at = time.monotonic()
        self._idle_upkeep_done = False
        self._settled += settled
        self._hurry(self._count, max(self._busy_at, self._counted_at + EVERY))
        if self._settled >= _SWEEP_AFTER:
            self._settled = 0
            self._hurry(self._sweep, self._busy_at)

    def run(self, store: StoreBackoff) -> None:
        """Run the duties that are due, while the store does not fail."""
        now = time.monotonic()
        for duty, at in list(self._at.items()):
            if at <= now and not store.active:
                self._at[duty] = now + _AFTER_OUTAGE
                store.attempt(_name(duty), partial(self._do, duty, now))

    def _do(self, duty: Duty, now: float) -> None:
        """Run one duty, and note when it is due again. Raises BrokerError when the store fails.

        What is in the store, which others can write too, must not end the worker: so an error
        that nobody has thought of costs this duty a while, and nothing else.
        """
        try:
            seconds = duty()
        except BrokerError:
            raise
        except Exception:  # noqa: BLE001 - see above
            seconds = _AFTER_ERROR
            logger.exception(
                "the worker's duty %s failed: tried again in %g s", _name(duty), seconds
            )
        self._at[duty] = now + seconds

    # the duties

    def _promote(self) -> float:
        upcoming = self._broker.promote()
        self._promoted_at = time.monotonic()
        return self._until(upcoming)

    def _fire(self) -> float:
        assert self._scheduler is not None
        upcoming = self._scheduler.turn()
        self._fired_at = time.monotonic()
        return min(self._until(upcoming), self._scheduler.longest)

    def _until(self, moment: float | None) -> float:
        if moment is None:
            return _FAR
        return min(max(moment - self._broker.clock(), 0.0), _FAR)

    def _rescue(self) -> float:
        if not self._broker.begin_rescue(0.9 * _RESCUE_EVERY):
            return _RESCUE_EVERY  # another worker has looked for all
        for record in rescue(self._broker, self._plan.policy, self._plan.serializer):
            message = record.message
            logger.warning("Task %s[%s] rescued from a dead worker", message.task, message.id)
        return _RESCUE_EVERY

    def _upkeep(self) -> float:
        if self._clock_jumps.jumped():
            self._clock_was_set()
        idle = not self._idle_upkeep_done and time.monotonic() - self._busy_at > _IDLE_AFTER
        self._broker.upkeep(idle=idle)
        self._idle_upkeep_done = self._idle_upkeep_done or idle
        return _UPKEEP_EVERY

    def _clock_was_set(self) -> None:
        logger.warning("the clock was changed or the machine was suspended: checking what is due")
        if self._scheduler is not None:
            self._scheduler.clock_was_set()
        for duty in (self._promote, self._fire):
            self._hurry(duty, 0.0)

    def _count(self) -> float:
        self._statistics.write()
        self._counted_at = time.monotonic()
        return _FAR

    def _sweep(self) -> float:
        began = time.monotonic()
        swept = self._broker.sweep(self._sweep_pace.limit)
        return self._sweep_pace.next_turn(swept, time.monotonic() - began)


def _name(duty: Duty) -> str:
    return duty.__name__.strip("_")
