"""A store on a Redis server, for several machines."""

from ...support.clock import Clock
from .broker import RedisBroker
from .location import SCHEMES, locate

__all__ = ["SCHEMES", "RedisBroker", "connect"]


def connect(url: str, name: str | None, clock: Clock) -> RedisBroker:
    """Return the broker at `url`, which alone names the store: `name` is the application's."""
    return RedisBroker(locate(url), clock)
