"""Who is dead, and what becomes of the tasks it held."""

import time
from collections.abc import Iterable
from sqlite3 import Connection

from ..base import DecideRescue
from ..owners import Owner, is_dead
from .rows import Row, delivery_of
from .settling import settle_each
from .statements import SQL

_LEASE = 60.0  # seconds without a beat after which an owner that cannot be judged is dead


class DeadWorkers:
    """Tells the dead among workers, by their rows."""

    def __init__(self) -> None:
        self._beats: dict[int, tuple[float, float]] = {}

    def among(self, rows: Iterable[Row]) -> list[Row]:
        """Those whose process is proven dead."""
        return [row for row in rows if self._is_dead(row)]

    def _is_dead(self, row: Row) -> bool:
        verdict = is_dead(Owner.parse(row[8]))
        if verdict is not None:
            return verdict
        # Its beat is compared with our own steady clock, never its clock with ours.
        worker, beat = row[0], row[5]
        seen, since = self._beats.get(worker, (None, 0.0))
        if seen != beat:
            self._beats[worker] = (beat, time.monotonic())
            return False
        return time.monotonic() - since > _LEASE


def take_back(db: Connection, worker: Row, decide: DecideRescue, now: float) -> list[str]:
    """Take back what the dead `worker` holds, as `decide` says; return the ids of those tasks."""
    if not db.execute(SQL["elect"], (now, worker[0])).rowcount:
        return []  # another rescuer was faster
    held = [delivery_of(row) for row in db.execute(SQL["held"], (worker[0],))]
    released, settlements = decide(worker[7], held)
    db.executemany(SQL["release"], released)
    settle_each(db, settlements, now)
    return [delivery.message.id for delivery in held]
