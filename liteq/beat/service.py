"""Fires periodic tasks and does nothing else: what `liteq beat` runs."""

import logging
from select import select

from ..brokers.base import Broker, Listener
from ..exceptions import BrokerCorrupt, BrokerError, BrokerTooNew
from ..result.app import App
from ..signals import beat_init
from ..support.clock import Jumps
from ..support.wakeup import Wakeup
from .periodic import entries_of, name_of
from .scheduler import Scheduler

logger = logging.getLogger("liteq.beat")

_LOOK_EVERY = 1.0  # seconds: for news that did not ring, and for a clock that was set
_AGAIN = 0.1
_FIRES_ONLY = 0  # the number of no worker
_PAUSES = (0.1, 0.5, 1.0, 2.0)  # seconds before a store that failed is tried again


class Beat:
    """Fires the periodic tasks of `app` and of its store until it is stopped.

    It is only needed where all workers run with `--no-beat`. `longest`: the seconds after which
    it looks at the store at the latest.
    """

    def __init__(self, app: App, longest: float | None = None) -> None:
        app.load_tasks()
        self._broker: Broker = app.broker
        self._scheduler = Scheduler(app.broker, name_of(app), entries_of(app))
        self._jumps = Jumps(app.broker.clock)
        self._longest = min(longest or _LOOK_EVERY, _LOOK_EVERY)
        self._wakeup = Wakeup()
        self._stopping = False
        self._failures = 0

    def run(self) -> None:
        """Work in this thread until `stop` is called."""
        beat_init.send(sender=self)
        listener: Listener = self._broker.work_listener(_FIRES_ONLY)
        try:
            while not self._stopping:
                pause = self._turn()
                # It rings for tasks as well. So after each look, for a moment only `stop` is heard.
                self._wait(min(pause, _AGAIN), self._wakeup)
                if pause > _AGAIN:
                    self._wait(pause - _AGAIN, self._wakeup, listener)
        finally:
            listener.close()
            self._wakeup.close()

    def _wait(self, seconds: float, *what: Wakeup | Listener) -> None:
        if self._stopping:
            return
        for each in select(what, [], [], seconds)[0]:
            each.clear()

    def stop(self) -> None:
        """Stop soon. From any thread or signal handler."""
        self._stopping = True
        self._wakeup.set()

    def _turn(self) -> float:
        """Fire what is due; answer the seconds to wait."""
        if self._jumps.any():
            self._scheduler.clock_was_set()
        try:
            upcoming = self._scheduler.turn()
        except (BrokerCorrupt, BrokerTooNew):
            raise  # no waiting mends it
        except BrokerError as exc:
            return self._failed(exc)
        self._failures = 0
        if upcoming is None:
            return self._longest
        return min(max(upcoming - self._broker.clock(), 0.0), self._longest)

    def _failed(self, exc: BrokerError) -> float:
        if self._failures == 0:
            logger.error("the store fails, trying again: %s", exc)
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        return pause
