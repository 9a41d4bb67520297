"""Claims that are given back: by workers that live, and from those whose process has exited."""

import time
from collections.abc import Iterable
from sqlite3 import Connection

from ...model.message import Receipt
from ..base import DecideRescue
from ..owners import Owner, died_with_machine
from .changes import Changes
from .claiming import readable
from .limits import not_begun
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


def release(db: Connection, receipts: Iterable[Receipt], now: float, changes: Changes) -> None:
    """Make claimed tasks ready again; those that were revoked end."""
    _release(db, receipts, changes)
    cancel_revoked(db, now, changes)


def take_all_back(
    db: Connection, dead: Iterable[WorkerRow], decide: DecideRescue, now: float, changes: Changes
) -> list[str]:
    """Take back what `dead` workers hold, as `decide` says; return the ids of those tasks."""
    ids = [id for worker in dead for id in _take_back(db, worker, decide, now, changes)]
    cancel_revoked(db, now, changes)
    return ids


def _take_back(
    db: Connection, worker: WorkerRow, decide: DecideRescue, now: float, changes: Changes
) -> list[str]:
    if not db.execute(SQL["elect"], (now, worker.id)).rowcount:
        return []  # another rescuer was faster
    held = readable(db, db.execute(SQL["held"], (worker.id,)).fetchall(), now, changes)
    with_machine = died_with_machine(Owner.parse(worker.owner))
    released, settlements = decide(worker.info, held, with_machine)
    _release(db, released, changes)
    settle_each(db, settlements, now, changes)
    db.execute(SQL["unlisten_worker"], (worker.id,))
    return [delivery.id for delivery in held]


def _release(db: Connection, receipts: Iterable[Receipt], changes: Changes) -> None:
    for receipt in receipts:
        for queue, seq, tied in db.execute(SQL["release"], receipt).fetchall():
            changes.woken(queue)
            not_begun(db, seq, tied)
