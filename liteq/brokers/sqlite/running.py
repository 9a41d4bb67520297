"""The verbs about tasks that run."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from sqlite3 import Connection
from typing import Any

from ...exceptions import BrokerError
from ...model.message import Receipt
from ...model.progress import Progress, ProgressReport, of_json, to_json
from ..running import LATE, SUSPENDED, LateEnd
from .notifying import SHORT_TIMEOUT
from .session import Session
from .statements import SQL, load
from .store import SqliteStore
from .waits import progress_of

_SQL = load("running.sql")
_SUSPENDED = json.dumps(SUSPENDED)


class SqliteRunning(SqliteStore):
    """The verbs about tasks that run."""

    def report_progress(self, reports: Sequence[ProgressReport]) -> None:
        if not reports:
            return
        session = self._session()
        rows = [(to_json(progress), *receipt) for receipt, progress in reports]
        receipts = [report.receipt for report in reports]

        def work(db: Connection) -> None:
            db.executemany(_SQL["keep_progress"], rows)
            db.executemany(_SQL["mark_details"], receipts)

        session.write(self._worker_writes, work)
        if session.waits.any():
            _notify(session, receipts)

    def progress(self, ids: Sequence[str]) -> list[Progress | None]:
        values = {"ids": json.dumps(list(ids)), "suspended": _SUSPENDED}
        found = dict(self._session().read(_SQL["progress"], values))
        return [of_json(found[id]) if id in found else None for id in ids]

    def keep_late(self, worker: int, late: Sequence[LateEnd]) -> None:
        by = {"worker": worker, "late": LATE}
        rows = [
            {"key": key, "token": token, "id": id, "at": at, "what": what, **by}
            for (key, token), id, at, what in late
        ]

        def work(db: Connection) -> None:
            for row in rows:
                _keep_late(db, row)

        self._write(self._worker_writes, work)

    def to_end(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        values = {"receipts": json.dumps(receipts)}
        rows = self._session().read(_SQL["claims_that_go_on"], values)
        go_on = {Receipt(*row) for row in rows}
        return [each for each in receipts if each not in go_on]


def _keep_late(db: Connection, row: dict[str, Any]) -> None:
    if db.execute(_SQL["is_kept_late"], row).fetchall():
        return
    known = db.execute(_SQL["end_late"], row).rowcount
    if not known and db.execute(_SQL["add_late"], row).rowcount:
        db.execute(_SQL["count_late"], row)


def _notify(session: Session, receipts: Iterable[Receipt]) -> None:
    """Notify those who wait for the progress of these tasks."""
    keys = json.dumps([each.key for each in receipts])
    with suppress(BrokerError):  # what is to be told of is stored all the same
        ids = [id for (id,) in session.read(SQL["ids_of"], (keys,), SHORT_TIMEOUT)]
        for key in session.waits.waiting_for(map(progress_of, ids)):
            session.notify_key(key)
        session.forget_gone()
