"""Pools, which run deliveries in processes or threads, by name.

To add one: a file beside this one, and its line in `POOLS`. Third parties use the entry point
group `liteq.pools`.
"""

from collections.abc import Callable

from ..exceptions import ImproperlyConfigured
from ..support.nearest import did_you_mean
from ..support.plugins import load, load_entry_point
from .base import Pool, PoolBroken, PoolEvents, Run, RunnerSpec, Running, Slot

__all__ = [
    "POOLS",
    "Pool",
    "PoolBroken",
    "PoolEvents",
    "Run",
    "RunnerSpec",
    "Running",
    "Slot",
    "make_pool",
    "pool_class",
]

POOLS = {
    "processes": "liteq.pools.processes:ProcessPool",
    "prefork": "liteq.pools.processes:ProcessPool",
    "threads": "liteq.pools.threads:ThreadPool",
    "asyncio": "liteq.pools.loops:AsyncioPool",
    "solo": "liteq.pools.solo:SoloPool",
}
_GREEN = ("eventlet", "gevent")


def make_pool(name: str, size: int, spec: RunnerSpec) -> Pool:
    """Return a new pool `name` with `size` slots. Raises ImproperlyConfigured for another name."""
    pool: Pool = pool_class(name)(size, spec)
    return pool


def pool_class(name: str) -> Callable[[int, RunnerSpec], Pool]:
    """Return the class of the pool `name`. Raises ImproperlyConfigured when there is none."""
    found = load(POOLS[name]) if name in POOLS else load_entry_point("liteq.pools", name)
    if found is None and name in _GREEN:
        raise ImproperlyConfigured(
            f"no pool {name!r}, as there are no green threads: use 'threads', or 'asyncio' for "
            "tasks that are `async def`, with as many slots (concurrency) as tasks may wait at once"
        )
    if found is None:
        hint = did_you_mean(name, POOLS)
        raise ImproperlyConfigured(f"no pool {name!r}: known are {', '.join(POOLS)}{hint}")
    made: Callable[[int, RunnerSpec], Pool] = found
    return made
