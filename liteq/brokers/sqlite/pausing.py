"""The verbs of pauses, and of what claims pass over."""

from sqlite3 import Connection

from ...model.pause import LeftTasks, Pause, stored_pause
from .passing import PAUSING
from .store import SqliteStore


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
