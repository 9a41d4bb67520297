"""Helpers for tests: of programs that use liteq, and of brokers.

`docs/guides/testing.md` shows how.
"""

from ..brokers.memory import MemoryBroker
from ..support.clock import ManualClock
from .contract import BrokerContract
from .draining import drain
from .ticking import firings, tick, travel

__all__ = ["BrokerContract", "ManualClock", "MemoryBroker", "drain", "firings", "tick", "travel"]
