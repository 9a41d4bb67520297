"""The verbs of the port that are about periodic tasks."""

from abc import abstractmethod
from collections.abc import Sequence
from random import getrandbits
from sqlite3 import Connection

from ...model.entry import Entry, Fired, Firing
from ...model.message import Message
from ..base import Broker
from .rows import Row, task_row
from .session import Level, Session
from .statements import SQL


class Scheduling(Broker):
    """Keeps entries beside the tasks."""

    _sent: Level
    _worked: Level

    def schedule(self, entries: Sequence[Entry]) -> list[str]:
        def work(db: Connection) -> tuple[list[str], list[tuple[str]]]:
            refused = [each.name for each in entries if not _write(db, each)]
            return refused, db.execute(SQL["work_listeners"]).fetchall()

        session = self._session()
        refused, listeners = session.write(self._sent, work)
        self._notify(session, listeners)
        return refused

    def unschedule(self, names: Sequence[str]) -> list[str]:
        def work(db: Connection) -> list[str]:
            once = dict.fromkeys(names)
            return [name for name in once if db.execute(SQL["unschedule"], (name,)).rowcount]

        return self._session().write(self._sent, work)

    def schedules(self, due_by: float | None = None) -> list[Entry]:
        if due_by is None:
            rows = self._session().read(SQL["schedules"])
        else:
            rows = self._session().read(SQL["schedules_due"], (due_by,))
        return [_entry(row) for row in rows]

    def next_fire(self) -> float | None:
        ((due,),) = self._session().read(SQL["next_fire"])
        return None if due is None else float(due)

    def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        now = self.clock()

        def work(db: Connection) -> tuple[list[Fired], list[tuple[str]]]:
            fired = [_fire(db, each, now) for each in firings]
            return fired, db.execute(SQL["work_listeners"]).fetchall()

        session = self._session()
        # What a power cut takes back it takes back whole, and then it is due once more.
        fired, listeners = session.write(self._worked, work)
        self._notify(session, listeners)
        return fired

    @abstractmethod
    def _session(self) -> Session:
        """The session of the calling thread."""

    @abstractmethod
    def _notify(self, session: Session, listeners: Sequence[tuple[str]]) -> None:
        """Ring them."""


def _write(db: Connection, entry: Entry) -> bool:
    """Write one entry; say whether it still was what it replaces."""
    # A new one starts at any number, so that nobody takes it for one that was dropped.
    verb, version = ("reschedule", entry.version) if entry.version else ("schedule", _anywhere())
    return db.execute(SQL[verb], (*_row(entry), entry.name, version)).rowcount > 0


def _fire(db: Connection, firing: Firing, now: float) -> Fired:
    entry, message = firing
    step = (entry.moment, entry.due, entry.planned, entry.name, entry.version)
    if not db.execute(SQL["step"], step).rowcount:
        return Fired.LOST
    if message is None:
        return Fired.DONE
    if not entry.overlap and db.execute(SQL["last_runs"], (entry.name,)).fetchall():
        return Fired.HELD
    db.execute(SQL["count_run"], (entry.runs, entry.last, entry.last_id, entry.name))
    db.execute(SQL["enqueue"], task_row(message, now, getrandbits(48)))
    return Fired.DONE


def _anywhere() -> int:
    return getrandbits(48) + 1


def _row(entry: Entry) -> Row:
    """The values of an entry, from `schedule` on; without its version, and without what a message
    has only when it is sent."""
    _, task, payload, serializer, queue, priority, _, expires, _, *rest = entry.message
    message = (task, payload, serializer, queue, priority, expires, *rest)
    return (entry.schedule, *message, entry.moment, entry.due, entry.planned, *entry[7:])


def _entry(row: Row) -> Entry:
    """A row of `schedules`."""
    entry = Entry._make((*row[:2], Message._make(row[2:15]), *row[15:]))
    return entry._replace(paused=bool(entry.paused), overlap=bool(entry.overlap))
