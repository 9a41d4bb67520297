"""The workers inside this program, as the waits of the same program see them.

When the last of them has ended and no other worker is up, no task ends any more. A wait for one
would last for ever, and keep the program from ending: executors join their threads at exit.
"""

import time

from ..brokers.base import Broker

_RESTART_TIME = 1.0  # seconds that a program may take to start another worker


class EmbeddedWorkers:
    """The workers of `broker` inside this program. Numbers are those of the store."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._running: set[int] = set()
        self._ended: dict[int, str] = {}  # and why
        self._since = 0.0  # `time.monotonic` when the last one ended

    def started(self, worker: int) -> None:
        """Note that the worker has started."""
        self._running.add(worker)

    def ended(self, worker: int, why: str) -> None:
        """Note that the worker has ended, or no longer gives any outcome."""
        if worker in self._running:
            self._running.remove(worker)
            self._ended[worker] = why
            self._since = time.monotonic()

    def nobody_left(self) -> str | None:
        """Return why the last worker ended, if for a second now no worker has been up; else None.

        None for a program that had no worker inside: its worker may be started at any time.
        Raises BrokerError when the store fails.
        """
        if self._running or not self._ended or time.monotonic() - self._since < _RESTART_TIME:
            return None
        if any(each.id not in self._ended for each in self._broker.workers()):
            return None
        return next(reversed(self._ended.values()))
