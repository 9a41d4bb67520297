"""The verbs about tasks that run."""

from collections.abc import Sequence
from typing import Any

from ...exceptions import SecurityError
from ...model.message import Receipt
from ...model.progress import Progress, ProgressReport, of_json, to_json
from ..running import SUSPENDED, LateEnd
from .arguments import Arguments, chunks
from .store import RedisStore


class RedisRunning(RedisStore):
    """The verbs about tasks that run."""

    def report_progress(self, reports: Sequence[ProgressReport]) -> None:
        for part in chunks(reports):
            args: Arguments = []
            for (id, token), progress in part:
                value = to_json(progress).encode()
                args += (id, token, self._signing.sign_progress(value, str(id), token))
            self._run("report_progress", *args)

    def progress(self, ids: Sequence[str]) -> list[Progress | None]:
        found: list[Progress | None] = []
        for part in chunks(ids):
            replies = self._run("progress", len(SUSPENDED), *SUSPENDED, *part)
            found += map(self._progress_of, part, replies)
        return found

    def _progress_of(self, id: str, reply: Any) -> Progress | None:
        """Return what a task has reported; None if that is not genuine, or cannot be read."""
        if not reply:
            return None
        token, value = reply
        try:
            return of_json(self._signing.verify_progress(value, id, int(token)))
        except SecurityError:
            return None

    def keep_late(self, worker: int, late: Sequence[LateEnd]) -> None:
        for part in chunks(late):
            args: Arguments = [worker]
            for (_, token), id, at, what in part:
                args += (id, token, at, what)
            self._run("keep_late", *args)

    def to_end(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        found: list[Receipt] = []
        for part in chunks(receipts):
            args = [value for receipt in part for value in receipt]
            found += [part[n] for n in self._run("to_end", *args)]
        return found
