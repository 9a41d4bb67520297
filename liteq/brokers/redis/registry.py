"""The workers of a store, and how those of this process are registered."""

import logging
import os
from typing import Any, NamedTuple

from ..base import WorkerInfo
from ..owners import this_process
from .rescue import proof_of_death
from .server import Server

_logger = logging.getLogger("liteq.broker")


class _Process(NamedTuple):
    """The process of a worker, as register.lua and beat.lua take it."""

    owner: str
    boot: str
    pid: int
    host: str


class WorkerRegistry:
    """The workers of a store. Remembers those that this process has registered."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._registered: dict[int, tuple[str, _Process]] = {}  # by number: name and process

    def register(self, now: float, name: str, info: str) -> int:
        """Register a worker of this process; return its number."""
        owner = this_process()
        process = _Process(str(owner), owner.boot, owner.pid, owner.host)
        worker = int(self._server.run("register", now, name, info, *process))
        self._registered[worker] = (name, process)
        return worker

    def beat(self, now: float, worker: int, info: str) -> None:
        """Renew the lease of a worker; register it again if the store was emptied."""
        unknown = (f"worker-{worker}", _Process("", "", os.getpid(), ""))
        name, process = self._registered.get(worker, unknown)
        known = self._server.run("beat", now, worker, name, info, *process)
        if not known:
            _logger.warning(
                "%s does not know this worker any more: the store was emptied, and what it held "
                "is gone. Registered again as number %s",
                self._server.location.url,
                worker,
            )

    def live_workers(self, now: float) -> list[WorkerInfo]:
        """Return the workers that are alive, by number."""
        return sorted(filter(None, map(_live_worker, self._server.run("leased_workers", now))))


def _live_worker(reply: list[Any]) -> WorkerInfo | None:
    """Return a worker, from leased_workers.lua; None if it is dead."""
    *texts, lease_ended, owner = reply
    id, name, pid, host, started, beat, info = (text.decode() for text in texts)
    if proof_of_death(owner, lease_ended=bool(lease_ended)) is not None:
        return None
    return WorkerInfo(int(id), name, int(pid), host, float(started), float(beat), None, info)
