"""Writing in a transaction of the application, on a connection of its own.

What is written with the application's own rows is there if and only if they are.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from .base import Broker


class Guest(ABC):
    """A broker in a transaction on a connection of the application.

    From `enter` to `leave` all that the same thread does with the broker is done in that
    transaction, and nobody is notified of it.
    """

    rolled_back: bool = False  # all of the transaction, by the database, because of an error

    @abstractmethod
    def enter(self, *, hold: bool, catch_up: Callable[[], object]) -> None:
        """Begin a transaction on the connection, unless one is open: then take part in that.

        `hold`: the transaction will have ended when `leave` is called. `catch_up` is called before
        each write. Raises TransactionError for a transaction that can only read, BrokerLocked when
        the store stays locked.
        """

    @abstractmethod
    def leave(self) -> None:
        """Use the connection no longer. May be called twice."""

    @abstractmethod
    def notify(self) -> None:
        """Notify those whom it concerns of what was written, after the commit."""


class Host(Broker):
    """A broker whose store can be in a database of the application."""

    @abstractmethod
    def guest(self, connection: object) -> Guest | None:
        """Return what writes in the transactions of `connection`, one of Python's DBAPI.

        None if it is not connected to this store.
        """


def guest_of(broker: Broker, connection: object) -> Guest | None:
    """Return `broker.guest(connection)`; None for a broker that has no guests."""
    return broker.guest(connection) if isinstance(broker, Host) else None
