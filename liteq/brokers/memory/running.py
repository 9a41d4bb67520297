"""The verbs about tasks that run."""

from collections.abc import Sequence

from ...model.message import Attempt, Receipt
from ...model.progress import Progress, ProgressReport
from ...states import Phase
from ..running import LATE, SUSPENDED, LateEnd
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

    def keep_late(self, worker: int, late: Sequence[LateEnd]) -> None:
        with self._transaction() as tables:
            for end in late:
                if end.id in tables.tasks and end.id == end.receipt.key:
                    name = tables.workers[worker].name
                    known = tables.attempts.get(end.id, [])
                    tables.attempts[end.id] = _with_late(known, name, end)

    def to_end(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        with self._lock:
            tables = self._tables
            return [
                each
                for each in receipts
                if tables.claimed(each) is None or str(each.key) in tables.revoked
            ]


def _with_late(known: list[Attempt], worker: str, end: LateEnd) -> list[Attempt]:
    """Return attempts with one that ended late."""
    late = Attempt(len(known) + 1, None, end.at, worker, LATE, end.what)
    for at, each in reversed(list(enumerate(known))):
        if each._replace(number=late.number, started=None) == late:
            return known  # it is there
        if (each.worker, each.outcome) == (worker, "lost"):
            ended = late._replace(number=each.number, started=each.started)
            return [*known[:at], ended, *known[at + 1 :]]
    return [*known, late]
