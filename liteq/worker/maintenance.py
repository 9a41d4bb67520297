"""What a worker does beside running tasks: promote, rescue, sweep, keep the store in order."""

import json
import time
from collections.abc import Callable

from ..brokers.base import Broker
from ..outcome import Policy
from .deaths import Boards
from .log import logger

_BEAT_EVERY = 5.0  # seconds
_RESCUE_EVERY = 1.0
_UPKEEP_EVERY = 0.25
_IDLE_AFTER = 5.0
_SWEEP_EVERY = 30.0
_SWEEP_BATCH = 500  # records, so that a sweep holds the write lock for milliseconds only
_FAR = 3600.0  # seconds: the longest that is slept towards an eta, should the clock be set


class Maintenance:
    """The timers of one worker; `due` is when the next one rings (`time.monotonic`)."""

    def __init__(
        self,
        broker: Broker,
        worker: int,
        policy: Policy,
        describe: Callable[[], dict[str, object]],
    ) -> None:
        self._broker = broker
        self._worker = worker
        self._policy = policy
        self._boards = Boards()
        self._describe = describe
        now = self._busy_at = time.monotonic()
        self._rested = False
        self._at = {
            self._rescue: now,
            self._promote: now,
            self._beat: now,
            self._upkeep: now + _UPKEEP_EVERY,
            self._sweep: now + _UPKEEP_EVERY,
        }

    @property
    def due(self) -> float:
        """When there is something to do."""
        return min(self._at.values())

    def rung(self) -> None:
        """There is news: perhaps an eta that is nearer than the one waited for."""
        self._at[self._promote] = min(self._at[self._promote], time.monotonic())

    def busy(self) -> None:
        """Something was just done: the worker is not idle."""
        self._busy_at = time.monotonic()
        self._rested = False

    def run(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for duty, at in list(self._at.items()):
            if at <= now:
                self._at[duty] = now + duty()

    # Each duty answers in how many seconds it is due again.

    def _promote(self) -> float:
        upcoming = self._broker.promote()
        if upcoming is None:
            return _FAR
        return min(max(upcoming - self._broker.clock(), 0.0), _FAR)

    def _rescue(self) -> float:
        rescued = self._broker.rescue(self._policy, self._boards.begun)
        self._boards.take_down()
        for record in rescued:
            message = record.message
            logger.warning("Task %s[%s] rescued from a dead worker", message.task, message.id)
        return _RESCUE_EVERY

    def _beat(self) -> float:
        self._broker.beat(self._worker, json.dumps(self._describe()))
        return _BEAT_EVERY

    def _upkeep(self) -> float:
        idle = not self._rested and time.monotonic() - self._busy_at > _IDLE_AFTER
        self._broker.upkeep(idle=idle)
        self._rested = self._rested or idle
        return _UPKEEP_EVERY

    def _sweep(self) -> float:
        swept = self._broker.sweep(_SWEEP_BATCH)
        # More may be waiting: go on soon, but let others write in between.
        return 0.05 if swept == _SWEEP_BATCH else _SWEEP_EVERY
