"""`app.jobs` for coroutines: each call runs in a thread, so that no loop waits for the store."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, Unpack

from ..model.job import Job
from .jobs import Filters, Ids, Jobs, Stats
from .jobstats import By

Listed = list[Job]
T = TypeVar("T")


class AsyncJobs(Jobs):
    """The same tasks, looked at and acted on by programs with and without coroutines."""

    async def alist(
        self, *, before: str | Job | None = None, limit: int = 50, **filters: Unpack[Filters]
    ) -> Listed:
        """Return up to `limit` jobs, the newest first: see `list`."""
        return await _in_thread(self.list, before=before, limit=limit, **filters)

    async def aget(self, id: str) -> Job | None:
        """Return the job `id`; None when the store does not know it."""
        return await _in_thread(self.get, id)

    async def acounts(self) -> dict[str, dict[str, int]]:
        """Return how many jobs there are, by queue and state."""
        return await _in_thread(self.counts)

    async def astats(self, minutes: float = 60, by: By = "task") -> Stats:
        """Return how runs ended in the last `minutes`: see `stats`."""
        return await _in_thread(self.stats, minutes, by)

    async def awhy(self, id: str) -> str:
        """Return one sentence that says why a job is as it is: see `why`."""
        return await _in_thread(self.why, id)

    async def aretry(self, ids: Iterable[str] | None = None, **filters: Unpack[Filters]) -> Ids:
        """Run jobs again that ended without success; return their ids: see `retry`."""
        return await _in_thread(self.retry, ids, **filters)

    async def arun_again(self, ids: Iterable[str] | None = None, **filters: Unpack[Filters]) -> Ids:
        """Send the calls of jobs once more; return the new ids: see `run_again`."""
        return await _in_thread(self.run_again, ids, **filters)

    async def acancel(
        self,
        ids: Iterable[str] | None = None,
        *,
        terminate: bool = False,
        **filters: Unpack[Filters],
    ) -> Ids:
        """Revoke jobs that have not ended; return their ids: see `cancel`."""
        return await _in_thread(self.cancel, ids, terminate=terminate, **filters)

    async def adelete(self, ids: Iterable[str] | None = None, **filters: Unpack[Filters]) -> int:
        """Delete jobs that have ended; return how many: see `delete`."""
        return await _in_thread(self.delete, ids, **filters)


async def _in_thread(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    from asyncio import to_thread  # 50 ms, which programs without coroutines do not pay

    return await to_thread(work, *args, **kwargs)
