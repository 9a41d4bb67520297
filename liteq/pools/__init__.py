"""Places to run deliveries, by name.

To add one: a file beside this one, and its line in `BUILTIN`. Third parties use the entry point
group `liteq.pools`.
"""

from importlib import import_module

from ..exceptions import ImproperlyConfigured
from ..support.nearest import did_you_mean
from .base import Pool, PoolBroken, PoolEvents, Run, RunnerSpec, Running, Slot

__all__ = [
    "BUILTIN",
    "Pool",
    "PoolBroken",
    "PoolEvents",
    "Run",
    "RunnerSpec",
    "Running",
    "Slot",
    "make_pool",
]

BUILTIN = {
    "processes": "liteq.pools.processes:ProcessPool",
    "prefork": "liteq.pools.processes:ProcessPool",
    "threads": "liteq.pools.threads:ThreadPool",
    "solo": "liteq.pools.solo:SoloPool",
}


def make_pool(name: str, size: int, spec: RunnerSpec) -> Pool:
    """The pool `name` with `size` slots. Raises ImproperlyConfigured for an unknown name."""
    where = BUILTIN.get(name) or _third_party(name)
    if where is None:
        hint = did_you_mean(name, BUILTIN)
        raise ImproperlyConfigured(f"no pool {name!r}: known are {', '.join(BUILTIN)}{hint}")
    module, _, attribute = where.partition(":")
    pool: Pool = getattr(import_module(module), attribute)(size, spec)
    return pool


def _third_party(name: str) -> str | None:
    from importlib.metadata import entry_points  # 17 ms: only when the table has no answer

    return next((each.value for each in entry_points(group="liteq.pools", name=name)), None)
