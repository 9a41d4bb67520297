"""The duty of a worker to relay what is in outboxes."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..exceptions import BrokerError
from .task_log import logger

if TYPE_CHECKING:  # few programs need it
    from ..transactions.outbox import Outbox

_RELAY_EVERY = 1.0  # seconds
_LONGEST_PAUSE = 30.0  # seconds, after errors
_CLOSE_TIMEOUT = 1.0  # seconds to wait for a relay that is on its way


@contextmanager
def relaying(outboxes: "Sequence[Outbox]") -> Iterator[None]:
    """Relay what is in `outboxes` during this block."""
    if not outboxes:
        yield
        return
    relay = Relay(outboxes)
    relay.start()
    try:
        yield
    finally:
        relay.close()


class Relay:
    """A thread that relays what is in `outboxes`.

    A thread of its own, because the databases are the application's, and may be slow or away.
    """

    def __init__(self, outboxes: "Sequence[Outbox]") -> None:
        self._sources = [_Source(each) for each in outboxes]
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="liteq-relay", daemon=True)

    def start(self) -> None:
        """Start relaying."""
        self._thread.start()

    def close(self) -> None:
        """Stop. May be called twice."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_TIMEOUT)

    def _run(self) -> None:
        pause = 0.0
        while not self._closed.wait(pause):
            now = time.monotonic()
            for source in self._sources:
                if source.due <= now:
                    source.relay()
            pause = min(max(source.due - time.monotonic(), 0.0) for source in self._sources)
        for source in self._sources:
            source.close()


class _Source:
    """One outbox, its connection while that is kept open, and when it is looked at again."""

    def __init__(self, outbox: "Outbox") -> None:
        self._outbox = outbox
        self._connection: Any = None
        self._pause = _RELAY_EVERY
        self._failing = False
        self.due: float = 0.0  # `time.monotonic`

    def relay(self) -> None:
        """Relay what is there; put errors off."""
        try:
            self._connection = self._connection or self._outbox.opened()
            relayed = self._outbox.relay(self._connection)
        except BrokerError:
            self._put_off()  # the loop of the worker notices as well, and logs it
        except Exception as exc:  # noqa: BLE001 - of whichever driver
            if not self._failing:
                logger.error("an outbox cannot be read, and is tried again: %s", exc)
            self._failing = True
            self._put_off()
        else:
            if self._failing:
                logger.warning("the outbox can be read again")
            self._failing, self._pause = False, _RELAY_EVERY
            self.due = time.monotonic() + (0.0 if relayed == self._outbox.batch else _RELAY_EVERY)
            if self._outbox.cheap:  # it costs little, and must not be open in a fork
                self.close()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception:  # noqa: BLE001 - it is broken
                pass

    def _put_off(self) -> None:
        self.close()
        self.due = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
