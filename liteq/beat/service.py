"""The service that fires periodic tasks and does nothing else: `liteq beat`."""

import logging
from contextlib import suppress
from select import select

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker, Listener
from ..exceptions import BrokerError, BrokerLocked, BrokerUnreachable
from ..result.app import App
from ..signals import beat_init
from ..support.clock import JumpDetector
from ..support.wakeup import Wakeup
from .periodic import entries_of, name_of
from .scheduler import Scheduler

logger: logging.Logger = logging.getLogger("liteq.beat")

_POLL = 1.0  # seconds: in case a notification was lost, or the clock was set
_DEBOUNCE = 0.1  # seconds
_NO_WORKER = 0  # a number that no worker has


class Beat:
    """A scheduler of the periodic tasks of `app` and of its store, run until it is stopped.

    It is only needed where all workers run with `--no-beat`. `longest`: seconds after which it
    polls the store at the latest; 1 at most.
    """

    def __init__(self, app: App, longest: float | None = None) -> None:
        app.load_tasks()
        self._broker: Broker = app.broker
        self._scheduler = Scheduler(app.broker, name_of(app), entries_of(app))
        self._clock_jumps = JumpDetector(app.broker.clock)
        self._longest = min(longest or _POLL, _POLL)
        self._wakeup = Wakeup()
        self._stopping = False
        self._store = StoreBackoff(logger)

    def run(self) -> None:
        """Run in this thread until `stop` is called."""
        beat_init.send(sender=self)
        try:
            self._serve()
        except (BrokerLocked, BrokerUnreachable):
            if not self._stopping:  # else it was stopped while it waited for the store
                raise
        finally:
            self._wakeup.close()

    def stop(self) -> None:
        """Request the end. May be called from any thread or signal handler."""
        self._stopping = True
        self._wakeup.set()

    def _serve(self) -> None:
        listener: Listener = self._store.insist(
            lambda: self._broker.work_listener(_NO_WORKER), self._wakeup, lambda: self._stopping
        )
        try:
            while not self._stopping:
                with suppress(BrokerError):
                    listener.missed()
                pause = self._turn()
                # The listener is notified of every task that is sent, too. So after each turn only
                # `stop` is waited for, for a moment: at most ten turns a second.
                self._wait(min(pause, _DEBOUNCE), self._wakeup)
                if pause > _DEBOUNCE:
                    self._wait(pause - _DEBOUNCE, self._wakeup, listener)
        finally:
            listener.close()

    def _wait(self, seconds: float, *sources: Wakeup | Listener) -> None:
        if self._stopping:
            return
        for each in select(sources, [], [], seconds)[0]:
            each.clear()

    def _turn(self) -> float:
        """Fire what is due; return the seconds to wait."""
        if self._clock_jumps.jumped():
            self._scheduler.clock_was_set()
        try:
            upcoming = self._scheduler.turn()
        except BrokerError as exc:
            self._store.failed("fire", exc)
            return self._store.pause
        self._store.succeeded("fire")
        if upcoming is None:
            return self._longest
        return min(max(upcoming - self._broker.clock(), 0.0), self._longest)
