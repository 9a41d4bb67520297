"""Notify a worker, or a thread that waits for results."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectors import BaseSelector


class Listener(ABC):
    """A subscription of one thread to notifications: of work, or of results.

    Notifications are hints: they may be spurious, so check after each, and may be lost, so poll
    now and then all the same. No method raises an error when the store fails: then there are no
    notifications.
    """

    @abstractmethod
    def fileno(self) -> int:
        """Return a descriptor for `selectors` that is readable once notified; -1 when closed.

        It may change when `missed`, `wait` or `clear` is called.
        """

    def watch(self, selector: "BaseSelector", data: object) -> None:
        """Register with `selector`, with this `data`, and stay registered when `fileno` changes."""
        from selectors import EVENT_READ  # a program that only sends does not need it

        selector.register(self.fileno(), EVENT_READ, data)

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds; return whether it was notified, and clear it."""

    @abstractmethod
    def clear(self) -> None:
        """Discard the notifications so far."""

    @abstractmethod
    def set(self) -> None:
        """Notify it, from any thread."""

    def expect(self, ids: Collection[str] | None, progress: Collection[str] = ()) -> None:
        """Be notified of the tasks `ids` only; None: of all, as at first. For results.

        `progress`: tasks of whose progress it is to be notified as well. There may be too many, of
        which it is notified when they end and not before.

        It may be notified of others all the same. What ended before may not be notified any more,
        so look at the tasks once after this.
        """

    def decline(self) -> None:
        """Have another idle worker notified in place of this one, which has no room. For work."""

    def missed(self) -> bool:
        """Return whether there may be news without a notification since the last call.

        Call it once a second or so while waiting: a connection is opened again by this.
        """
        return True

    def ordered(self) -> bool:
        """Return whether there may be orders to its worker that came since the last call.

        It says so in vain rather than not at all: call `missed` now and then, which finds out about
        those that notified nobody. For work.
        """
        return True

    @abstractmethod
    def close(self) -> None:
        """Stop listening. May be called twice."""
