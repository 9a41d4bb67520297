"""The verbs about tasks that run."""

from collections.abc import Sequence

from ...model.message import Receipt
from ...model.progress import Progress, ProgressReport
from ...states import Phase
from ..running import SUSPENDED
from .listeners import notify
from .store import MemoryStore
from .tables import StoredProgress


class MemoryRunning(MemoryStore):
    """The verbs about tasks that run."""

    def report_progress(self, reports: Sequence[ProgressReport]) -> None:
        with self._transaction() as tables:
            for receipt, progress in reports:
                if tables.claimed(receipt) is not None:
                    id = str(receipt.key)
                    attempt = len(tables.attempts.get(id, ())) + 1
                    tables.progress[id] = StoredProgress(receipt.token, attempt, progress)
                    notify(each for each in self._result_listeners if each.expects_progress(id))

    def progress(self, ids: Sequence[str]) -> list[Progress | None]:
        with self._lock:
            return list(map(self._progress_of, ids))

    def _progress_of(self, id: str) -> Progress | None:
        record, stored = self._tables.tasks.get(id), self._tables.progress.get(id)
        if record is None or stored is None:
            return None
        if record.started is not None:
            return stored.progress if stored.token == record.token else None
        earlier = self._tables.attempts.get(id, [])
        suspended = bool(earlier) and earlier[-1].outcome in SUSPENDED
        counts = suspended and stored.attempt == len(earlier) and record.phase < Phase.RUNNING
        return stored.progress if counts else None

    def to_end(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        with self._lock:
            tables = self._tables
            return [
                each
                for each in receipts
                if tables.claimed(each) is None or str(each.key) in tables.revoked
            ]
