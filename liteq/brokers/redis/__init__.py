"""A store on a Redis server, for several machines."""

from ...support.clock import Clock
from .broker import RedisBroker
from .location import SCHEMES, locate

__all__ = ["SCHEMES", "RedisBroker", "connect"]


def connect(url: str, name: str | None, clock: Clock) -> RedisBroker:
    """The broker at `url`. As with a file, the URL alone says which store it is."""
    return RedisBroker(locate(url), clock)
