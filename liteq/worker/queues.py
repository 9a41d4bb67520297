"""Which queues a worker serves."""

from collections.abc import Collection, Sequence

from ..app import LiteQ
from ..exceptions import ConfigurationError
from ..sending.options import check_name
from .options import checked


def queues_but(
    app: LiteQ, given: str | Sequence[str] | None, excluded: Collection[str]
) -> tuple[str, ...]:
    """Return what `queues_of` does, without those `excluded`.

    Raises ConfigurationError if none is left.
    """
    left = tuple(name for name in queues_of(app, given) if name not in excluded)
    if not left:
        raise ConfigurationError("no queue is left to serve: each one is excluded")
    return left


def queues_of(app: LiteQ, given: str | Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the queues `given`, as a list or comma-separated, or else those of the settings."""
    if isinstance(given, str):
        given = [name.strip() for name in given.split(",") if name.strip()]
    if names := checked("queues", given):
        return tuple(dict.fromkeys(check_name("queue name", name) for name in names))
    conf = app.conf
    return tuple(dict.fromkeys([*(conf.task_queues or ()), conf.task_default_queue]))
