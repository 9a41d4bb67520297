"""The brokers, by the scheme of their URL.

To add one: a folder beside this file with a function `connect(url, name, clock)`, and its line in
`BROKERS`; or, outside of liteq, an entry point in the group `liteq.brokers`, named by its scheme.
"""

import os
from collections.abc import Callable

from ..exceptions import ImproperlyConfigured
from ..support.clock import Clock, system_clock
from ..support.nearest import nearest, suggestion
from ..support.plugins import entry_point_names, load, load_entry_point
from ..support.urls import safe_url, scheme_of
from ..support.warning import warn
from .base import Broker

__all__ = ["BROKERS", "DEFAULT_URL", "Broker", "chosen_url", "connect"]

Connect = Callable[[str, str | None, Clock], Broker]

BROKERS = {
    "memory": "liteq.brokers.memory:connect",
    "sqlite": "liteq.brokers.sqlite:connect",
    **dict.fromkeys(
        (
            *("redis", "rediss", "valkey", "valkeys", "unix", "redis+socket"),
            *("redis+sentinel", "redis+cluster"),
        ),
        "liteq.brokers.redis:connect",
    ),
}
_OF_CELERY = frozenset(
    (
        *("amqp", "amqps", "azureservicebus", "azurestoragequeues", "confluentkafka", "consul"),
        *("etcd", "filesystem", "gcpubsub", "kafka", "librabbitmq", "mongodb", "pyamqp", "pyro"),
        *("qpid", "sentinel", "slmq", "sqla", "sqlalchemy", "sqs", "zookeeper"),
    )
)
"""Schemes of the brokers that Celery has and liteq has not."""

_VARIABLE = "LITEQ_BROKER_URL"
DEFAULT_URL = "sqlite://"
_BY_SENTINELS = "redis+sentinel://host1:26379,host2:26379/MASTER/0"
_GROUP = "liteq.brokers"  # of entry points


def connect(
    url: str | None = None,
    *,
    name: str | None = None,
    clock: Clock = system_clock,
    secret_key: str | bytes | None = None,
) -> Broker:
    """Return the broker at `url`, else at LITEQ_BROKER_URL, else the file of application `name`.

    LITEQ_BROKER_URL also takes the place of the URL of a broker that only Celery has. With
    `secret_key` it signs what others could write. Nothing is opened yet. Raises
    ImproperlyConfigured for an unknown scheme, or a key that is too short.
    """
    given, url = url, chosen_url(url)
    if given and given != url:
        warn(f"tasks go to {safe_url(url)}, by {_VARIABLE}, and not to {safe_url(given)}")
    broker = _factory(url)(url, name, clock)
    if secret_key is not None:
        broker.sign(secret_key)
    return broker


def serves(url: str) -> bool:
    """Return whether there is a broker for the scheme of `url`."""
    scheme = scheme_of(url)
    return scheme in BROKERS or scheme in entry_point_names(_GROUP)


def chosen_url(url: str | None) -> str:
    """Return `url`, else LITEQ_BROKER_URL, else the URL that means an application's own file.

    For the URL of a broker that only Celery has, LITEQ_BROKER_URL comes first.
    """
    instead = os.environ.get(_VARIABLE)
    if url and instead and is_of_celery(url):
        return instead
    return url or instead or DEFAULT_URL


def is_of_celery(url: str) -> bool:
    """Return whether `url` is that of a broker which Celery has and liteq has not."""
    return scheme_of(url).partition("+")[0] in _OF_CELERY


def _factory(url: str) -> Connect:
    scheme = scheme_of(url)
    factory: Connect | None = (
        load(BROKERS[scheme]) if scheme in BROKERS else load_entry_point(_GROUP, scheme)
    )
    if factory is None and len(scheme) < 2:  # one letter is a drive of Windows
        path = url.replace("\\", "/")
        raise ImproperlyConfigured(
            f"{safe_url(url)!r} is no URL of a store: for that file write sqlite:///{path}"
        )
    if "://" in url.partition(";")[2]:
        raise ImproperlyConfigured(
            f"{safe_url(url)!r} is a list of brokers, but tasks are kept in one store: give one "
            f"URL. Of a Redis with sentinels that is {_BY_SENTINELS}"
        )
    if factory is None and scheme == "sentinel":
        raise ImproperlyConfigured(
            f"write {_BY_SENTINELS}, instead of {safe_url(url)!r} and the master_name in "
            "broker_transport_options"
        )
    if factory is None and is_of_celery(url):
        raise ImproperlyConfigured(
            f"liteq has no {scheme}:// broker, as in {safe_url(url)!r}: it keeps tasks in a file "
            "or on Redis. Give broker='sqlite:///tasks.db' or 'redis://...'; or set "
            f"{_VARIABLE}, which takes the place of such a URL, so that no line has to change"
        )
    if factory is None:
        near = nearest(scheme, BROKERS)
        hint = suggestion(near and f"{near}://")
        raise ImproperlyConfigured(
            f"no broker serves {safe_url(url)!r}: known are "
            f"{', '.join(f'{name}://' for name in BROKERS)}{hint}"
        )
    return factory
