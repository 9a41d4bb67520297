"""The embedded broker: a store in one SQLite file."""

from ...support.clock import Clock
from .broker import SqliteBroker
from .location import default_url, locate

__all__ = ["SqliteBroker", "connect"]


def connect(url: str, name: str | None, clock: Clock) -> SqliteBroker:
    """Return the broker of `url`; `sqlite://` alone is the file of the application `name`."""
    return SqliteBroker(locate(default_url(name) if url == "sqlite://" else url), clock)
