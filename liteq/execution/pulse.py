"""The pulse of a process that runs tasks: a thread that sends and looks, four times a second.

It sends how far tasks have come, and looks whether they are to end, for those that say or ask. So
what a task does for that costs nearly nothing, however often, and never waits for the store.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from ..exceptions import BrokerError

if TYPE_CHECKING:
    from ..model.message import Receipt
    from ..model.progress import ProgressReport

# Seconds between two beats: with what is sent at the end, a task reports five times a second.
_EVERY = 0.25
_IDLE = 5.0  # seconds without a task that says or asks, after which the thread ends

SendProgress = Callable[[Sequence["ProgressReport"]], None]
"""A function that has the progress of running tasks stored."""

FindToEnd = Callable[[Sequence["Receipt"]], Collection["Receipt"]]
"""Takes claims; returns those of tasks that are to end. Raises BrokerError."""


_pulses: "WeakSet[Pulse]" = WeakSet()


def pulses_here() -> "list[Pulse]":
    """Return those of the workers in this process, or of the one whose child this is."""
    return list(_pulses)


class Follower(Protocol):
    """A run that is followed: a `Reporter` is one."""

    receipt: "Receipt | None"
    asks: bool
    to_end: bool

    def news(self, at: float) -> "ProgressReport | None": ...


class Pulse:
    """The thread, which runs while tasks say how far they have come, or ask whether to end.

    `clock`: epoch seconds. `many`: the process may run several tasks at once.
    """

    def __init__(
        self,
        send: SendProgress,
        find_to_end: FindToEnd,
        clock: Callable[[], float],
        *,
        many: bool = False,
    ) -> None:
        self.many = many
        self.runs: set[Any] = set()  # contexts of what goes on in this process
        self._send = send
        self._find_to_end = find_to_end
        self._clock = clock
        self._reset()
        _pulses.add(self)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a handler of signals may come while its thread holds it
        self._reporters: list[Follower] = []
        self._thread: threading.Thread | None = None

    def add(self, reporter: Follower) -> None:
        """Follow what a run says and asks, until `end`."""
        if self._pid != os.getpid():  # a helper that the task has forked
            self._reset()
        with self._lock:
            self._reporters.append(reporter)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="liteq-pulse", daemon=True)
                self._thread.start()

    def end(self, reporter: Follower) -> None:
        """Send what a run has said last."""
        if self._pid != os.getpid():
            self._reset()
        with self._lock:  # so that nothing older is sent after it
            if reporter in self._reporters:
                self._reporters.remove(reporter)
            self._send_news([reporter])

    def look(self, reporters: Sequence[Follower]) -> None:
        """Look now whether these runs are to end. It is not known while the store is away."""
        by_receipt = {each.receipt: each for each in reporters if each.receipt is not None}
        try:
            found = self._find_to_end([*by_receipt])
        except BrokerError:
            return
        for receipt in found:
            by_receipt[receipt].to_end = True

    def _run(self) -> None:
        idle_since = time.monotonic()
        while True:
            time.sleep(_EVERY)
            with self._lock:
                reporters = [*self._reporters]
                if reporters:
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since > _IDLE:
                    self._thread = None
                    return
                self._send_news(reporters)
            asking = [each for each in reporters if each.asks and not each.to_end]
            if asking:
                self.look(asking)

    def _send_news(self, reporters: Sequence[Follower]) -> None:
        at = self._clock() if reporters else 0.0
        news = [each for each in (reporter.news(at) for reporter in reporters) if each]
        if news:
            self._send(news)
