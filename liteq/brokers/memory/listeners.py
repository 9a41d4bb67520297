"""Listeners inside one process."""

from collections.abc import Iterable

from ..listeners import LocalListener


class MemoryListener(LocalListener):
    """A listener that the broker notifies of every change."""

    def missed(self) -> bool:
        return False


def notify(listeners: Iterable[MemoryListener]) -> None:
    """Notify all of `listeners`."""
    for listener in listeners:
        listener.set()
