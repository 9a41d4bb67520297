"""Listeners inside one process."""

from ..listeners import LocalListener


class MemoryListener(LocalListener):
    """A listener that the broker notifies of every change."""

    def missed(self) -> bool:
        return False
