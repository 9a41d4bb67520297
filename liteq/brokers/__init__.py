"""The brokers, by the scheme of their URL.

To add one: a folder beside this file with a function `connect(url, name, clock)`, and its line in
`BROKERS`; or, outside of liteq, an entry point in the group `liteq.brokers`, named by its scheme.
"""

import os
from collections.abc import Callable
from urllib.parse import urlsplit

from ..exceptions import ImproperlyConfigured
from ..support.clock import Clock, system_clock
from ..support.nearest import nearest
from ..support.plugins import entry_point_names, load, load_entry_point
from ..support.urls import safe_url
from .base import Broker

__all__ = ["BROKERS", "DEFAULT_URL", "Broker", "chosen_url", "connect"]

Connect = Callable[[str, str | None, Clock], Broker]

BROKERS = {
    "memory": "liteq.brokers.memory:connect",
    "sqlite": "liteq.brokers.sqlite:connect",
    **dict.fromkeys(
        ("redis", "rediss", "valkey", "valkeys", "unix", "redis+sentinel", "redis+cluster"),
        "liteq.brokers.redis:connect",
    ),
}
DEFAULT_URL = "sqlite://"
_GROUP = "liteq.brokers"  # of entry points


def connect(
    url: str | None = None,
    *,
    name: str | None = None,
    clock: Clock = system_clock,
    secret_key: str | bytes | None = None,
) -> Broker:
    """Return the broker at `url`, else at LITEQ_BROKER_URL, else the file of application `name`.

    With `secret_key` it signs what others could write. Nothing is opened yet. Raises
    ImproperlyConfigured for an unknown scheme, or a key that is too short.
    """
    url = chosen_url(url)
    broker = _factory(url)(url, name, clock)
    if secret_key is not None:
        broker.sign(secret_key)
    return broker


def serves(url: str) -> bool:
    """Return whether there is a broker for the scheme of `url`."""
    scheme = urlsplit(url).scheme
    return scheme in BROKERS or scheme in entry_point_names(_GROUP)


def chosen_url(url: str | None) -> str:
    """Return `url`, else LITEQ_BROKER_URL, else the URL that means an application's own file."""
    return url or os.environ.get("LITEQ_BROKER_URL") or DEFAULT_URL


def _factory(url: str) -> Connect:
    scheme = urlsplit(url).scheme
    factory: Connect | None = (
        load(BROKERS[scheme]) if scheme in BROKERS else load_entry_point(_GROUP, scheme)
    )
    if factory is None and len(scheme) < 2:  # one letter is a drive of Windows
        path = url.replace("\\", "/")
        raise ImproperlyConfigured(
            f"{safe_url(url)!r} is no URL of a store: for that file write sqlite:///{path}"
        )
    if factory is None:
        near = nearest(scheme, BROKERS)
        hint = f"; did you mean {near}://?" if near else ""
        raise ImproperlyConfigured(
            f"no broker serves {safe_url(url)!r}: known are "
            f"{', '.join(f'{name}://' for name in BROKERS)}{hint}"
        )
    return factory
