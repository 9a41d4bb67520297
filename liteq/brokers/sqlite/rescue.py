"""The rescue of tasks from workers whose process has exited."""

import time
from collections.abc import Iterable
from sqlite3 import Connection

from ..base import DecideRescue
from ..owners import Owner, died_with_machine
from .claiming import readable
from .registry import is_dead
from .rows import WorkerRow
from .settling import settle_each
from .statements import SQL
from .workflows import cancel_revoked

_LEASE = 60.0  # seconds without a beat after which a process that we cannot look at counts as dead


class DeadWorkers:
    """A detector of the dead workers of the store at `path`.

    It remembers the last beat of those of which nothing else tells.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._beats: dict[int, tuple[float, float]] = {}

    def among(self, workers: Iterable[WorkerRow]) -> list[WorkerRow]:
        """Return the workers whose process has exited, or whose lease has ended."""
        return [worker for worker in workers if self._is_dead(worker)]

    def _is_dead(self, worker: WorkerRow) -> bool:
        dead = is_dead(worker, self._path)
        if dead is not None:
            return dead
        # By our own monotonic clock: the clocks of two machines are never compared.
        seen, since = self._beats.get(worker.id, (None, 0.0))
        if seen != worker.beat:
            self._beats[worker.id] = (worker.beat, time.monotonic())
            return False
        return time.monotonic() - since > _LEASE


def take_all_back(
    db: Connection, dead: Iterable[WorkerRow], decide: DecideRescue, now: float
) -> list[str]:
    """Take back what dead workers hold, as `decide` says; return the ids of those tasks."""
    ids = [id for worker in dead for id in take_back(db, worker, decide, now)]
    cancel_revoked(db, now)
    return ids


def leave(db: Connection, worker: int, now: float) -> None:
    """Give back what a worker that stops holds, and note that it has stopped."""
    db.execute(SQL["release_all"], (worker,))
    cancel_revoked(db, now)
    db.execute(SQL["stop_worker"], (now, worker))


def take_back(db: Connection, worker: WorkerRow, decide: DecideRescue, now: float) -> list[str]:
    """Take back what the dead `worker` holds, as `decide` says; return the ids of those tasks."""
    if not db.execute(SQL["elect"], (now, worker.id)).rowcount:
        return []  # another rescuer was faster
    held = readable(db, db.execute(SQL["held"], (worker.id,)).fetchall(), now)
    with_machine = died_with_machine(Owner.parse(worker.owner))
    released, settlements = decide(worker.info, held, with_machine)
    db.executemany(SQL["release"], released)
    settle_each(db, settlements, now)
    db.execute(SQL["unlisten_worker"], (worker.id,))
    return [delivery.message.id for delivery in held]
