"""The verbs of the port that are about periodic tasks."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import count

from ...model.entry import Entry, Fired, Firing
from ...model.message import Record
from ..base import Broker
from .records import new


class Scheduling(Broker):
    """Keeps entries beside the tasks."""

    _tasks: dict[str, Record]
    _entries: dict[str, Entry]

    def __init__(self) -> None:
        self._entries = {}
        self._versions = count(1)  # one row for all entries: no version ever comes again

    def schedule(self, entries: Sequence[Entry]) -> list[str]:
        with self._transaction():
            return [each.name for each in entries if not self._write(each)]

    def unschedule(self, names: Sequence[str]) -> list[str]:
        with self._transaction():
            there = [name for name in dict.fromkeys(names) if name in self._entries]
            for name in there:
                del self._entries[name]
            return there

    def schedules(self, due_by: float | None = None) -> list[Entry]:
        with self._transaction():
            entries = [self._entries[name] for name in sorted(self._entries)]
        if due_by is None:
            return entries
        return [each for each in entries if each.due is not None and each.due <= due_by]

    def next_fire(self) -> float | None:
        with self._transaction():
            return min((e.due for e in self._entries.values() if e.due is not None), default=None)

    def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        with self._transaction():
            return [self._fire(each) for each in firings]

    def _fire(self, firing: Firing) -> Fired:
        entry, message = firing
        if not self._fits(entry):
            return Fired.LOST
        held = message is not None and not entry.overlap and self._last_runs(entry.name)
        if held:
            last = self._entries[entry.name]
            entry = entry._replace(runs=last.runs, last=last.last, last_id=last.last_id)
        elif message is not None and message.id not in self._tasks:
            self._put(new(message, self.clock()))
        self._write(entry)
        return Fired.HELD if held else Fired.DONE

    def _write(self, entry: Entry) -> bool:
        """Write one entry; say whether it still was what it replaces."""
        if not self._fits(entry):
            return False
        memoryview(entry.message.payload)  # raises for what is no bytes: no store would take it
        self._entries[entry.name] = entry._replace(version=next(self._versions))
        self._notify_workers()
        return True

    def _fits(self, entry: Entry) -> bool:
        there = self._entries.get(entry.name)
        return entry.version == (0 if there is None else there.version)

    def _last_runs(self, name: str) -> bool:
        """Whether the last task of the entry has not ended."""
        last = self._tasks.get(self._entries[name].last_id or "")
        return last is not None and not last.phase.final

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[None]:
        """All of it, or none."""

    @abstractmethod
    def _put(self, record: Record) -> None:
        """Write `record`."""

    @abstractmethod
    def _notify_workers(self) -> None:
        """There is news for workers."""
