"""The heartbeat of a worker, by which its store knows that it lives."""

import json
import threading
import time
from collections.abc import Callable

from ..brokers.base import Broker
from ..exceptions import BrokerError
from .task_log import logger

_HUNG_AFTER = 60.0  # seconds without a turn of the loop
_SOONEST = 1.0  # seconds between two heartbeats, however much there is to tell
_CLOSE_TIMEOUT = 1.0  # seconds to wait for a heartbeat that is on its way


class Heartbeat:
    """A thread that sends heartbeats of `worker`, with what `describe` returns.

    A thread of its own, because the loop may be late: a task of the solo pool runs in it, or much
    is settled over a slow network. Where others cannot see the process they would take the worker
    for dead. But the loop must turn now and then, or no heartbeat is sent: a worker that hangs must
    not hold its tasks for ever. `runs_tasks`: tasks run in the loop, which may take them hours.
    """

    def __init__(
        self,
        broker: Broker,
        worker: int,
        describe: Callable[[], dict[str, object]],
        *,
        runs_tasks: bool,
    ) -> None:
        self._broker = broker
        self._worker = worker
        self._describe = describe
        self._runs_tasks = runs_tasks
        self._turned_at = time.monotonic()
        self._closed = threading.Event()
        self._hurried = threading.Event()
        self._thread = threading.Thread(target=self._run, name="liteq-heartbeat", daemon=True)

    def start(self) -> None:
        """Start sending, every `Broker.beat_every` seconds."""
        self._thread.start()

    def turned(self) -> None:
        """Note that the loop turns."""
        self._turned_at = time.monotonic()

    def hurry(self) -> None:
        """Send one soon: what it tells has changed. From any thread."""
        self._hurried.set()

    def close(self) -> None:
        """Stop sending. May be called twice."""
        self._closed.set()
        self._hurried.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_TIMEOUT)

    def _run(self) -> None:
        pause = 0.0
        while not self._closed.wait(pause):
            every = self._broker.beat_every
            pause = min(_SOONEST, every)
            self._hurried.wait(every - pause)
            self._hurried.clear()
            if self._closed.is_set():
                return
            if self._runs_tasks or time.monotonic() - self._turned_at < _HUNG_AFTER:
                self._beat()

    def beat(self) -> None:
        """Send one at once. Raises BrokerError."""
        self._broker.beat(self._worker, json.dumps(self._describe()))

    def _beat(self) -> None:
        try:
            self.beat()
        except BrokerError:
            pass  # the loop notices when the store fails, and logs it
        except Exception:  # noqa: BLE001 - whatever it is, the next one may be sent
            logger.exception("a heartbeat could not be sent")
