"""The rescue of tasks from workers whose process has exited."""

import time
from collections.abc import Iterable
from sqlite3 import Connection

from ...model.outcome import Policy
from ...states import Phase
from ..base import StartedClaims
from .rows import WorkerRow
from .statements import SQL
from .workflows import propagate_ends

_LEASE = 60.0  # seconds without a beat after which a process that we cannot look at counts as dead
_ONCE = "its worker died while it ran, and with acks_late=False it may not run again"
_LOST = "its worker died while it ran"


class DeadWorkers:
    """A detector of dead workers; it remembers the last beat of those on other machines."""

    def __init__(self) -> None:
        self._beats: dict[int, tuple[float, float]] = {}

    def among(self, workers: Iterable[WorkerRow]) -> list[WorkerRow]:
        """Return the workers whose process has exited, or whose lease has ended."""
        return [worker for worker in workers if self._is_dead(worker)]

    def _is_dead(self, worker: WorkerRow) -> bool:
        dead = worker.is_dead()
        if dead is not None:
            return dead
        # By our own monotonic clock: the clocks of two machines are never compared.
        seen, since = self._beats.get(worker.id, (None, 0.0))
        if seen != worker.beat:
            self._beats[worker.id] = (worker.beat, time.monotonic())
            return False
        return time.monotonic() - since > _LEASE


def take_back(
    db: Connection, worker: WorkerRow, policy: Policy, started: StartedClaims, now: float
) -> list[str]:
    """Take back what the dead `worker` held; answer the ids. Only what had started is charged."""
    if not db.execute(SQL["elect"], (now, worker.id)).rowcount:
        return []  # somebody else was faster
    tokens = started(worker.info)
    ids, ended = [], []
    for seq, token, lost, acks_late, id, tied in db.execute(SQL["held"], (worker.id,)).fetchall():
        ids.append(id)
        receipt = (seq, token)
        if acks_late and tokens is not None and token not in tokens:
            db.execute(SQL["release"], receipt)
        elif acks_late and lost + 1 < policy.max_lost:
            db.execute(SQL["remember"], (now, "lost", _LOST, *receipt))
            db.execute(SQL["lost"], (lost + 1, *receipt))
        else:
            phase = Phase.DEAD if acks_late else Phase.FAILED
            why = f"its worker died {lost + 1} times while it ran" if acks_late else _ONCE
            values = (phase, why, lost + 1, now, policy.kept_until(phase, now))
            db.execute(SQL["bury"], (*values, *receipt))
            if tied:
                ended.append(seq)
    propagate_ends(db, ended, now)
    return ids
