"""The serializers that the settings choose, and those that they accept."""

from ..brokers.base import Broker, check_trust
from ..config import Config
from ..exceptions import ContentDisallowed, ImproperlyConfigured, PayloadTooLarge
from ..serializers import Codecs, Serializer, get, usable

Accept = tuple[str, ...] | None
"""`accept_content` or `result_accept_content`."""


def argument_serializer(conf: Config, broker: Broker, given: str | None, task: str) -> Serializer:
    """Return the serializer of the arguments of `task`: `given` by the call or by the task, else
    that of the settings.

    Raises ContentDisallowed for one that no worker with these settings decodes, and
    ImproperlyConfigured for one that runs code when others may write the store.
    """
    name = given or conf.task_serializer
    accept = conf.accept_content
    serializer = get(name or _default(accept, broker.default_serializer))
    check_trust(serializer, broker)
    chosen = name or accept == ()  # what is chosen by default is accepted, unless nothing is
    if chosen and serializer.name not in (accepted := _accepted(accept, conf, broker)):
        raise ContentDisallowed(
            f"cannot send {task} with the serializer {serializer.name!r}: workers with these "
            f"settings decode {_listed(accepted)}. Add it to accept_content, or choose another"
        )
    return serializer


def result_serializer(conf: Config, broker: Broker) -> Serializer:
    """Return the serializer that values, errors and reported metas are encoded with.

    Raises ImproperlyConfigured for one that is not accepted, or that runs code when others may
    write the store.
    """
    accept = conf.result_accept_content or conf.accept_content
    serializer = get(conf.result_serializer or _default(accept, broker.default_serializer))
    if serializer.name not in (accepted := _accepted(accept, conf, broker)):
        raise ImproperlyConfigured(
            f"result_serializer is {serializer.name!r}, but these settings decode "
            f"{_listed(accepted)} in results: add it to accept_content or result_accept_content, "
            "or leave result_serializer out"
        )
    check_trust(serializer, broker)
    return serializer


def too_large(what: str, data: bytes, limit: int, *, send: str = "return") -> PayloadTooLarge:
    """Return the error for `data` beyond `max_payload_size`, which is `limit`.

    `what`: what the data is, with a verb; `send`: what to do with a reference instead.
    """
    return PayloadTooLarge(
        f"{what} {len(data)} bytes, and max_payload_size is {limit}: store that elsewhere and "
        f"{send} where it is"
    )


def argument_codecs(conf: Config, broker: Broker) -> Codecs:
    """Return the serializers whose arguments a worker may decode.

    Raises ImproperlyConfigured when one of them runs code and others may write the store.
    """
    return _codecs(conf.accept_content, conf, broker)


def result_codecs(conf: Config, broker: Broker) -> Codecs:
    """Return the same for results."""
    return _codecs(conf.result_accept_content or conf.accept_content, conf, broker)


def _codecs(accept: Accept, conf: Config, broker: Broker) -> Codecs:
    codecs = Codecs(_accepted(accept, conf, broker))
    for serializer in codecs.values():
        check_trust(serializer, broker)
    return codecs


def _accepted(accept: Accept, conf: Config, broker: Broker) -> frozenset[str]:
    """Return the names in `accept`; for None, JSON and those that the settings encode with."""
    if accept is not None:
        return frozenset(usable(accept))
    default = broker.default_serializer
    encode = (conf.task_serializer or default, conf.result_serializer or default)
    return frozenset(get(name).name for name in ("json", *encode))


def _default(accept: Accept, default: str) -> str:
    """Return the broker's default serializer if it is accepted, else the first that is."""
    if not accept:
        return default
    names = usable(accept)
    return default if default in names else names[0]


def _listed(names: frozenset[str]) -> str:
    return f"only {' and '.join(sorted(names))}" if names else "nothing"
