"""Giving claims back: what no slot here can take, another worker may run."""

from collections.abc import Sequence

from ..brokers.backoff import StoreBackoff
from ..brokers.base import Broker
from ..model.message import Delivery


class Releases:
    """Releases claims of `broker`; those of which it gets no answer, once more.

    A task is never handed out here again once its release was sent: the store may have released it
    although no answer came, and another worker may have begun it.
    """

    def __init__(self, broker: Broker, store: StoreBackoff) -> None:
        self._broker = broker
        self._store = store
        self._waiting: list[Delivery] = []

    @property
    def waiting(self) -> bool:
        """Return whether there are claims of which it is not known that they are released."""
        return bool(self._waiting)

    def add(self, deliveries: Sequence[Delivery]) -> None:
        """Add claims that are to be released."""
        self._waiting += deliveries

    def write(self) -> None:
        """Release all claims that were added; if the store fails, they wait for the next call."""
        receipts = [each.receipt for each in self._waiting]
        if receipts and self._store.attempt("write", lambda: self._broker.release(receipts)):
            self._waiting = []
