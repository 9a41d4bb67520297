"""Tasks in the memory of one process: the reference of the port, and a store for tests.

It forgets everything with its process, and no other process sees it, a forked one neither. So it
is no store to run a program on.
"""

from ...support.clock import Clock
from .broker import MemoryBroker

__all__ = ["MemoryBroker", "connect"]


def connect(url: str, name: str | None, clock: Clock) -> MemoryBroker:
    """A new, empty store; two of them share nothing, whatever the URL."""
    return MemoryBroker(clock)
