"""Workers: who is there."""

import logging
import os
from typing import Any, NamedTuple

from ..base import WorkerInfo
from ..owners import Owner, this_process
from .rescue import is_gone
from .server import Server

_logger = logging.getLogger("liteq.broker")


class _Registration(NamedTuple):
    """What a worker of this process is entered with."""

    name: str
    owner: str
    boot: str
    pid: int
    host: str


class WorkerRegistry:
    """The workers of a store, and those that this process has entered."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._badges: dict[int, _Registration] = {}

    def register(self, now: float, name: str, info: str) -> int:
        """Enter a worker; answer its number."""
        me = this_process()
        badge = _Registration(name, str(me), me.boot, me.pid, me.host)
        worker = int(self._server.run("register", now, name, info, *badge[1:]))
        self._badges[worker] = badge
        return worker

    def beat(self, now: float, worker: int, info: str) -> None:
        """Renew the lease of a worker. Should the store have been emptied, enter it again."""
        badge = self._badges.get(worker, _Registration(f"worker-{worker}", "", "", os.getpid(), ""))
        known = self._server.run("beat", now, worker, badge.name, info, *badge[1:])
        if not known:
            _logger.warning(
                "%s does not know this worker any more: the store was emptied, and what it held "
                "is gone. Entered again as number %s",
                self._server.location.url,
                worker,
            )

    def present(self, now: float) -> list[WorkerInfo]:
        """The workers that are there, by number."""
        rows = self._server.run("live_workers", now)
        return sorted(filter(None, map(_seen, rows)))


def _seen(row: list[Any]) -> WorkerInfo | None:
    """A worker, unless its process is proven to be gone."""
    id, name, pid, host, started, beat, info, owner = (part.decode() for part in row)
    if owner and is_gone(Owner.parse(owner)):
        return None
    return WorkerInfo(int(id), name, int(pid), host, float(started), float(beat), None, info)
