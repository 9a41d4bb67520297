"""The memory broker: the reference implementation of the port, and a store for tests.

It forgets everything when its process exits, and no other process sees it, not even a forked one.
So it is no store to run a program on.
"""

from ...support.clock import Clock
from .broker import MemoryBroker

__all__ = ["MemoryBroker", "connect"]


def connect(url: str, name: str | None, clock: Clock) -> MemoryBroker:
    """Return a new, empty store; two of them share nothing, whatever the URL."""
    return MemoryBroker(clock)
