"""The store of an application, as the settings name it: tasks and results in one place."""

import warnings

from ..brokers import DEFAULT_URL, chosen_url, connect, serves
from ..brokers.base import Broker
from ..config import Config
from ..exceptions import ImproperlyConfigured
from ..result.backend import Backend
from ..sending.formats import result_codecs
from ..support.urls import safe_url
from .folder import warn_of_another_program


def broker_of(conf: Config, name: str | None, module: str) -> Broker:
    """Return the broker that `conf` names, else that of the file of the application `name`.

    `module`: in which the application was made. There is a warning if the file belongs to another
    program. Nothing is opened yet. Raises ImproperlyConfigured for a URL or a `result_backend`
    that cannot be used.
    """
    check_result_backend(conf, None)
    if not conf.broker_url and chosen_url(None) == DEFAULT_URL:
        warn_of_another_program(name, module)
    return connect(conf.broker_url, name=name, secret_key=conf.secret_key)


def fix_store(conf: Config, broker: Broker) -> None:
    """Refuse later changes of the settings that led to `broker`: nobody would look for them."""
    conf.fix(
        ("broker_url", "secret_key"),
        f"the application uses {broker.url} already. Set it before the first task is sent or "
        "looked for, or make another LiteQ",
    )


def backend_of(conf: Config, broker: Broker) -> Backend:
    """Return the reader of the results in `broker`.

    Raises ImproperlyConfigured for a serializer that is not safe to decode from there.
    """
    return Backend(broker, result_codecs(conf, broker))


def check_result_backend(conf: Config, broker: Broker | None) -> None:
    """Raise ImproperlyConfigured when `result_backend` names another store than the broker's.

    One of Celery's that liteq cannot use, such as django-db, brings a warning instead.
    """
    store = conf.broker_url if broker is None else broker.address
    wanted = conf.result_backend
    # Celery's rpc:// sends results back by way of the broker, which is what happens here.
    if wanted is None or wanted.startswith("rpc") or _place(wanted) == _place(store or ""):
        return
    if not serves(wanted):
        warnings.warn(
            f"result_backend is {safe_url(wanted)!r}, which does nothing in liteq: results are "
            "kept in the broker's own store",
            stacklevel=3,
        )
        return
    raise ImproperlyConfigured(
        f"result_backend is {safe_url(wanted)!r}, but results are kept in the broker's own "
        f"store, {safe_url(store or 'the default file')!r}: leave result_backend out, or "
        "give both the same URL"
    )


def _place(url: str) -> str:
    """Return `url` without its query, which does not say where the store is."""
    return url.partition("?")[0]
