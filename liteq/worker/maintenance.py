"""The periodic duties of a worker: promote, fire, rescue, upkeep, sweep."""

import time
from collections.abc import Callable
from functools import partial

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker
from ..exceptions import BrokerError
from ..support.clock import JumpDetector
from .plan import Plan
from .rescue import rescue
from .task_log import logger

# Seconds. Both as often as the supervisor polls, and so in the same turn: each time that an idle
# worker wakes costs 150 us and more, which four upkeeps a second made 0.15 % of a core.
_RESCUE_EVERY = _UPKEEP_EVERY = 1.0
_IDLE_AFTER = 5.0
_SWEEP_EVERY = 30.0
_SWEEP_BATCH = 500  # records, so that a sweep holds the write lock for milliseconds only
_AFTER_OUTAGE = 1.0  # seconds before a duty is tried again for which the store failed
_AFTER_ERROR = 30.0  # seconds before a duty is tried again that raised what is no BrokerError
_FAR = 3600.0  # seconds: the longest sleep until an eta
_MIN_FIRE_INTERVAL = 0.1  # seconds: a busy worker is notified often

Duty = Callable[[], float]
"""A method that returns the seconds after which it is due again."""


class Maintenance:
    """The timers of one worker; `due` is when the next one expires (`time.monotonic`)."""

    def __init__(self, broker: Broker, plan: Plan) -> None:
        self._broker = broker
        self._plan = plan
        self._scheduler = plan.scheduler
        self._clock_jumps = JumpDetector(broker.clock)
        self._fired_at = 0.0
        now = self._busy_at = time.monotonic()
        self._idle_upkeep_done = False
        self._at = {
            self._rescue: now,
            self._promote: now,
            self._upkeep: now,
            self._sweep: now + _UPKEEP_EVERY,  # the first tasks come first
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
        self._hurry(self._promote, now)
        self._hurry(self._fire, max(now, self._fired_at + _MIN_FIRE_INTERVAL))

    def _hurry(self, duty: Duty, at: float) -> None:
        if duty in self._at:
            self._at[duty] = min(self._at[duty], at)

    def busy(self) -> None:
        """Note that the worker is not idle."""
        self._busy_at = time.monotonic()
        self._idle_upkeep_done = False

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
        return self._until(self._broker.promote())

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

    def _sweep(self) -> float:
        swept = self._broker.sweep(_SWEEP_BATCH)
        # More may be waiting: go on soon, but let others write in between.
        return 0.05 if swept == _SWEEP_BATCH else _SWEEP_EVERY


def _name(duty: Duty) -> str:
    return duty.__name__.strip("_")
