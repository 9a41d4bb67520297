"""Notify those who listen, on behalf of a session."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ...exceptions import BrokerError
from .idleworkers import IdleWorkers
from .sockets import Notifier, keys_of
from .statements import SQL
from .waits import Waits

SHORT_TIMEOUT = 1.0  # seconds that a worker waits: it retries anyway, and must react to a Ctrl-C


class Notifying(ABC):
    """The part of a session that notifies. It raises no errors: notifications are hints."""

    waits: Waits
    idle: IdleWorkers
    _notifier: Notifier
    _gone: set[int]  # keys of listeners that were to be notified, and are gone
    _elsewhere: dict[int, str]  # addresses of listeners whose sockets are in other folders

    @abstractmethod
    def read(
        self, sql: str, values: tuple[object, ...] = (), timeout: float = SHORT_TIMEOUT
    ) -> list[tuple[Any, ...]]:
        """Return all rows of one query."""

    def notify_workers(self) -> None:
        """Notify all that listen for work."""
        with suppress(BrokerError):  # what is to be told of is stored all the same
            rows = self.read(SQL["work_listeners"], timeout=SHORT_TIMEOUT)
            self._notifier.notify([address for (address,) in rows])

    def notify_addresses(self, addresses: Iterable[str], data: bytes) -> None:
        """Notify listeners with this datagram."""
        self._notifier.notify(addresses, data)

    def notify_key(self, key: int) -> bool:
        """Notify the listener of that key; return False if there is none: see `forget_gone`."""
        if key in self._gone:
            return False
        if self._notifier.notify_key(key) or self._notify_elsewhere(key):
            return True
        self._gone.add(key)
        return False

    def forget_gone(self) -> None:
        """Forget what those wait for that were to be notified, and are gone (1 ms, if any are)."""
        if self._gone:
            self.waits.forget(self._gone)
            self._gone = set()

    def _notify_elsewhere(self, key: int) -> bool:
        """Notify a listener whose process has another folder for its sockets."""
        if key not in self._elsewhere:
            with suppress(BrokerError):  # what is to be told of is stored all the same
                rows = self.read(SQL["all_listeners"], timeout=SHORT_TIMEOUT)
                self._elsewhere = keys_of(address for (address,) in rows)
        address = self._elsewhere.get(key)
        if address is not None and self._notifier.send(address):
            return True
        self._elsewhere.pop(key, None)
        return False

    def wake(self, queue: str, count: int, *, at_random: bool = False) -> bool:
        """Notify up to `count` idle workers of a queue; return whether there was one."""
        woken, pick = False, self.idle.pick_at_random if at_random else self.idle.pick
        while count > 0 and (keys := pick(queue, count)):
            for key in keys:
                if self.notify_key(key):
                    woken, count = True, count - 1
        self.forget_gone()
        return woken
