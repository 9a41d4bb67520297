"""The table of workers: how one is registered, and whether one is dead."""

from sqlite3 import Connection

from .. import owners
from ..owners import Owner, this_process
from .changes import Changes
from .limits import not_begun
from .liveness import LivenessLocks, has_released
from .rows import WorkerRow
from .statements import SQL
from .workflows import cancel_revoked


def register(db: Connection, locks: LivenessLocks, name: str, info: str, now: float) -> int:
    """Register a worker of this process, with its lock; return its number."""
    me = this_process()
    row = (name, str(me), me.pid, me.host, now, now, info)
    worker = int(db.execute(SQL["register"], row).lastrowid or 0)
    locks.hold(worker, str(me))  # before others see the row
    return worker


def unregister(db: Connection, worker: int, now: float, changes: Changes) -> None:
    """Remove a worker that stops; what it holds is ready again."""
    for queue, seq, tied in db.execute(SQL["release_all"], (worker,)).fetchall():
        changes.woken(queue)
        not_begun(db, seq, tied)
    cancel_revoked(db, now, changes)
    db.execute(SQL["stop_worker"], (now, worker))


def is_dead(worker: WorkerRow, path: str) -> bool | None:
    """Return whether a worker of the store at `path` has exited; None: that cannot be proven."""
    owner = Owner.parse(worker.owner)
    dead = owners.is_dead(owner)
    # Two kernels may share a file, but not its locks. The same boot id means the same kernel.
    if dead is not None or owner is None or not owner.boot or owner.boot != this_process().boot:
        return dead
    return has_released(path, worker.id, worker.owner)
