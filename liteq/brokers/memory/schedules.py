"""Entries of periodic tasks, in the tables."""

from collections.abc import Callable, Iterator

from ...model.entry import Entry, Fired, Firing
from ...model.message import Message
from .tables import Tables


class MemorySchedules:
    """The entries in `tables`. `versions`: so that no version ever comes again."""

    def __init__(self, tables: Tables, versions: Iterator[int]) -> None:
        self._tables = tables
        self._versions = versions

    def write(self, entry: Entry) -> bool:
        """Store one entry; return False if the one that it replaces was changed or deleted."""
        if not self._is_current(entry):
            return False
        memoryview(entry.message.payload)  # raises for what is not bytes
        self._tables.entries[entry.name] = entry._replace(version=next(self._versions))
        return True

    def fire(self, firing: Firing, send: Callable[[Message], str | None]) -> Fired:
        """Advance one entry and send its message: `send` returns who has its key, if any."""
        entry, message = firing
        if not self._is_current(entry):
            return Fired.STALE
        outcome = self._outcome(firing)
        if outcome is Fired.DONE and message is not None and send(message) is not None:
            outcome = Fired.HELD
        if outcome is not Fired.DONE:
            stored = self._tables.entries[entry.name]
            entry = entry._replace(runs=stored.runs, last=stored.last, last_id=stored.last_id)
        self.write(entry)
        return outcome

    def _outcome(self, firing: Firing) -> Fired:
        entry, message = firing
        if message is None:
            return Fired.DONE
        if self._tables.pass_over(message.queue, message.task):
            return Fired.PAUSED
        held = not entry.overlap and self._last_run_is_unfinished(entry)
        return Fired.HELD if held else Fired.DONE

    def _is_current(self, entry: Entry) -> bool:
        stored = self._tables.entries.get(entry.name)
        return entry.version == (0 if stored is None else stored.version)

    def _last_run_is_unfinished(self, entry: Entry) -> bool:
        stored = self._tables.entries[entry.name]
        last = self._tables.tasks.get(stored.last_id or "")
        return last is not None and not last.phase.final
