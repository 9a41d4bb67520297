"""Celery's `result_backend`: here results are kept with the tasks."""

from ..brokers.base import Broker
from ..config import Config
from ..exceptions import ImproperlyConfigured
from ..support.urls import safe_url


def check_result_backend(conf: Config, broker: Broker | None) -> None:
    """Raise ImproperlyConfigured when the settings name another place than the broker's."""
    store = conf.broker_url if broker is None else broker.url
    wanted = conf.result_backend
    # Celery's rpc:// sends results back by way of the broker, which is what happens here.
    if wanted is None or wanted.startswith("rpc") or _place(wanted) == _place(store or ""):
        return
    raise ImproperlyConfigured(
        f"result_backend is {safe_url(wanted)!r}, but results are kept in the broker's own "
        f"store, {safe_url(store or 'the default file')!r}: leave result_backend out, or "
        "give both the same URL"
    )


def _place(url: str) -> str:
    """A URL without what only says how the place is used."""
    return url.partition("?")[0]
