"""The `Search`: which tasks a tool wants to see."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from .message import Record
from .options import has_one_of


class Search(NamedTuple):
    """Say which tasks are looked for: those that fit each field that is given."""

    task: str | None = None
    queue: str | None = None
    worker: str | None = None  # the name of the worker that runs it, or ran it last
    headers: Mapping[str, Any] | None = None  # one of these, as a header or a stamp
    text: str | None = None  # in its id, name, arguments (as they are encoded) or traceback
    since: float | None = None  # epoch seconds: sent then or later
    newest: bool = False  # the newest first, else the oldest
    beyond: int | None = None  # the `seq` of the task after which to begin, in that order

    def fits(self, record: Record) -> bool:
        """Return whether this looks for the task of `record`."""
        message = record.message
        return (
            self._comes(record.seq)
            and self.task in (None, message.task)
            and self.queue in (None, message.queue)
            and self.worker in (None, record.worker)
            and (self.since is None or record.created >= self.since)
            and (self.headers is None or has_one_of(self.headers, message))
            and (self.text is None or self._has_text(record, self.text))
        )

    @property
    def fits_all(self) -> bool:
        """Return whether this looks for every task."""
        return self._replace(newest=False, beyond=None) == EVERYTHING

    def _comes(self, seq: int) -> bool:
        """Return whether a task of this place is still to come."""
        if self.beyond is None:
            return True
        return seq < self.beyond if self.newest else seq > self.beyond

    @staticmethod
    def _has_text(record: Record, text: str) -> bool:
        message = record.message
        texts = (message.id, message.task, record.traceback or "")
        return any(text in each for each in texts) or text.encode() in message.payload


EVERYTHING = Search()
