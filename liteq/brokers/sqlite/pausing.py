"""The verbs of pauses, and of what claims pass over."""

from collections.abc import Sequence
from functools import partial
from sqlite3 import Connection

from ...model.pause import LeftTasks, Pause, stored_pause
from ..expiring import passed_over
from .changes import Changes
from .notifying import SHORT_TIMEOUT
from .passing import PAUSING
from .statements import SQL
from .store import SqliteStore
from .workflows import propagate_ends


class SqlitePausing(SqliteStore):
    """The part of the broker that has the verbs of pauses."""

    def pause(self, pause: Pause) -> bool:
        def work(db: Connection) -> bool:
            known = db.execute(PAUSING["is_paused"], (pause.kind, pause.name)).fetchall()
            db.execute(PAUSING["pause"], (str(pause.kind), *pause[1:]))
            return not known

        return self._write(self._client_writes, work)

    def resume(self, kind: str, name: str) -> bool:
        return self._write_and_notify_all(
            self._client_writes,
            lambda db: db.execute(PAUSING["resume"], (str(kind), name)).rowcount > 0,
        )

    def pauses(self) -> list[Pause]:
        rows = self._session().read(PAUSING["pauses"])
        return [stored_pause(str(kind), str(name), *rest) for kind, name, *rest in rows]

    def left(self) -> list[LeftTasks]:
        rows = self._session().read(PAUSING["left"])
        return [LeftTasks(*row) for row in rows if row[2]]

    def expire(self, limit: int, keep: float | None) -> bool:
        session = self._session()
        if not session.read(PAUSING["rules"], timeout=SHORT_TIMEOUT):
            return True
        rows = session.read(SQL["ready_queues"], timeout=SHORT_TIMEOUT)
        queues = passed_over((queue for (queue,) in rows), self.pauses())
        return self._expiry.run(queues, limit, partial(self._expire, keep=keep))

    def _expire(self, queue: str, skip: int, size: int, *, keep: float | None) -> tuple[int, int]:
        """Do what `Look` says."""
        now = self.clock()
        rows = self._session().read(PAUSING["ready_after"], (queue, size, skip), SHORT_TIMEOUT)
        over = [seq for seq, at in rows if isinstance(at, int | float) and at <= now]
        if over:
            self._write_and_notify(
                self._worker_writes, lambda db, changes: _end_expired(db, over, now, keep, changes)
            )
        return len(rows), len(over)


def _end_expired(
    db: Connection, keys: Sequence[int], now: float, keep: float | None, changes: Changes
) -> None:
    kept_until = None if keep is None else now + keep
    ended = []
    for key in keys:
        ended += db.execute(PAUSING["expire"], (now, kept_until, key)).fetchall()
    changes.keys += [key for key, _ in ended]
    propagate_ends(db, [key for key, tied in ended if tied], now, changes)
