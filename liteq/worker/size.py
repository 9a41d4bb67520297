"""The size of a worker: how many tasks run at a time, and in how many processes."""

from typing import NamedTuple

from ..config import Config
from ..exceptions import ImproperlyConfigured
from .autoscale import Scale
from .cpus import usable_cpus
from .options import checked

_OF_LOOP = 100  # slots of a process with an event loop: what runs there mostly waits


class Size(NamedTuple):
    """The pool of a worker, by name, and its size."""

    pool: str
    concurrency: int  # slots; of an asyncio pool in each process
    processes: int = 1  # of an asyncio pool
    scale: Scale | None = None  # of all slots; None: it is not scaled by its load

    @classmethod
    def of(
        cls, conf: Config, pool: str | None, concurrency: int | None, processes: int | None
    ) -> "Size":
        """Return what is given, or else in the settings. Raises ImproperlyConfigured."""
        pool = checked("pool", pool) or conf.worker_pool
        slots = checked("concurrency", concurrency) or conf.worker_concurrency
        processes = checked("processes", processes)
        assert pool is not None
        if pool == "asyncio":
            return cls(pool, slots or _OF_LOOP, processes or conf.worker_processes)
        if processes is not None:
            raise ImproperlyConfigured(
                f"`processes` is for the pool 'asyncio', and the pool is {pool!r}: say "
                "`concurrency`, which is how many tasks run at a time there"
            )
        return cls(pool, 1 if pool == "solo" else slots or usable_cpus())

    def scaled(self, scale: Scale) -> "Size":
        """Return the size of a worker that is scaled so, of an asyncio pool each process."""
        total = Scale(scale.most * self.processes, scale.least * self.processes)
        least = 1 if self.pool == "solo" else scale.least
        return self._replace(concurrency=least, scale=total)

    def resized(self, slots: int) -> "Size":
        """Return the size with so many slots in all processes together."""
        return self._replace(concurrency=-(-slots // self.processes))

    @property
    def slots(self) -> int:
        """Return how many tasks can run at a time, in all processes together."""
        return self.processes * self.concurrency

    @property
    def has_children(self) -> bool:
        """Return whether tasks run in child processes."""
        return self.pool in {"processes", "asyncio"}

    def __str__(self) -> str:
        each = str(self.concurrency)
        if self.scale is not None:
            bounds = self.scale.least // self.processes, self.scale.most // self.processes
            each = "{} to {}".format(*bounds)
        return (
            f"{self.processes} x {each} (asyncio)"
            if self.pool == "asyncio"
            else (f"{each} ({self.pool})")
        )
