"""The workers of a store, and how those of this process are registered."""

import logging
import os
from math import isfinite
from typing import Any, NamedTuple

from ..base import WorkerInfo
from ..knowledge import known_tasks
from ..owners import Owner, this_process
from .replies import text_of
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
        self._told: dict[int, tuple[str, ...]] = {}  # by number: what it knows, as it is stored

    def register(self, now: float, name: str, info: str) -> int:
        """Register a worker of this process; return its number."""
        owner = this_process()
        process = _Process(str(owner), owner.boot, owner.pid, owner.host)
        knows = _knowledge(info)
        worker = int(self._server.run("register", now, name, info, *process, *knows))
        self._registered[worker] = (name, process)
        self._told[worker] = knows
        return worker

    def beat(self, now: float, worker: int, info: str) -> None:
        """Renew the lease of a worker; register it again if the store was emptied."""
        unknown = (f"worker-{worker}", _Process("", "", os.getpid(), ""))
        name, process = self._registered.get(worker, unknown)
        knows = _knowledge(info)
        told: tuple[str, ...] = ("same",) if knows == self._told.get(worker) else knows
        known = self._server.run("beat", now, worker, name, info, *process, *told)
        if not known and told != knows:
            self._server.run("beat", now, worker, name, info, *process, *knows)
        self._told[worker] = knows
        if not known:
            _logger.warning(
                "%s does not know this worker any more: the store was emptied, and what it held "
                "is gone. Registered again as number %s",
                self._server.location.url,
                worker,
            )

    def live_workers(self) -> list[WorkerInfo]:
        """Return the workers that are alive, by number."""
        return sorted(filter(None, map(_live_worker, self._server.run("leased_workers", 0.0))))


def _knowledge(info: str) -> tuple[str, ...]:
    """Return what a worker is to be handed. Read by `store_knowledge` in scripts/workers.lua."""
    known = known_tasks(info)
    return ("all",) if known is None else ("known", *sorted(known))


def _live_worker(reply: list[Any]) -> WorkerInfo | None:
    """Return a worker, from leased_workers.lua; None if it is dead."""
    *fields, lease_ended, owner = reply
    its_owner = Owner.parse(text_of(owner or b""))
    if proof_of_death(its_owner, lease_ended=bool(lease_ended)) is not None:
        return None
    # Any program that can write to the server can write anything.
    id, name, pid, host, started, beat, info = (text_of(field or b"") for field in fields)
    number, process = int(_number(id)), int(_number(pid))
    return WorkerInfo(number, name, process, host, _number(started), _number(beat), None, info)


def _number(text: str) -> float:
    """Return the number in `text`; 0 if there is none."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if isfinite(number) else 0.0
