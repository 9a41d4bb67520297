"""The store of an application, as the settings name it: tasks and results in one place."""

from ..brokers import DEFAULT_URL, chosen_url, connect
from ..brokers.base import Broker
from ..config import Config
from ..result.backend import Backend
from ..sending.formats import result_codecs
from ..support.urls import safe_url
from ..support.warning import warn

_PORT = 6379  # of Redis


def broker_of(conf: Config, name: str | None, module: str) -> Broker:
    """Return the broker that `conf` names, else that of the file of the application `name`.

    `module`: in which the application was made. There is a warning if the file belongs to another
    program. Nothing is opened yet. Raises ImproperlyConfigured for a URL that cannot
    be used.
    """
    warn_of_other_results(conf, None)
    if not conf.broker_url and chosen_url(None) == DEFAULT_URL:
        from .folder import warn_of_another_program

        warn_of_another_program(name, module)
    return connect(conf.broker_url, name=name, secret_key=conf.secret_key)


def fix_store(conf: Config, broker: Broker) -> None:
    """Refuse later changes of the settings that led to `broker`: nobody would look for them."""
    conf.fix(
        ("broker_url", "secret_key"),
        f"the application uses {broker.url} already. Set it before the first task is sent or "
        "looked for, or make another LiteQ",
    )


def own_broker(broker: object, conf: Config) -> Broker | None:
    """Return `broker` if it is one, and no URL: then settings that name another do nothing."""
    if not isinstance(broker, Broker):
        return None
    why = f"the application was given the broker of {broker.url} itself, not a URL"
    conf.outrank("broker_url", broker.address, why)
    if not broker.trusted:
        conf.outrank("secret_key", None, f"{why}: call sign() of that broker")
    return broker


def backend_of(conf: Config, broker: Broker) -> Backend:
    """Return the reader of the results in `broker`.

    Raises ImproperlyConfigured for a serializer that is not safe to decode from there.
    """
    return Backend(broker, result_codecs(conf, broker))


def warn_of_other_results(conf: Config, broker: Broker | None) -> None:
    """Warn when `result_backend` names another store than the broker's, as in Celery it may."""
    store = conf.broker_url if broker is None else broker.address
    wanted = conf.result_backend
    if store and chosen_url(store) != store:
        return  # the environment says where tasks are kept, and so their results
    # Celery's rpc:// sends results back by way of the broker, which is what happens here.
    if wanted is None or wanted.startswith("rpc") or _place(wanted) == _place(store or ""):
        return
    warn(
        f"result_backend is {safe_url(wanted)!r}, which does nothing in liteq: results are kept "
        f"with the tasks, in {safe_url(store or 'the default file')!r}",
    )


def _place(url: str) -> object:
    """Return what tells two stores apart: not the query, nor what a URL may leave out."""
    url = url.partition("?")[0]
    scheme, _, rest = url.partition("://")
    if scheme not in ("redis", "rediss", "valkey", "valkeys"):
        return url
    from urllib.parse import urlsplit  # takes 3 ms

    try:
        parts = urlsplit(f"//{rest}")
        return scheme, parts.hostname, parts.port or _PORT, parts.path.strip("/") or "0"
    except ValueError:  # the broker says what is wrong with it
        return url
