"""Entries of periodic tasks, beside the tasks that they send."""

from random import getrandbits
from sqlite3 import Connection

from ...model.entry import Entry, Fired, Firing
from ...model.message import Message
from .rows import Row, task_row
from .statements import SQL


def write_entry(db: Connection, entry: Entry) -> bool:
    """Write one entry; say whether it still was what it replaces."""
    # A new one starts at any number, so that nobody takes it for one that was dropped.
    verb, version = ("reschedule", entry.version) if entry.version else ("schedule", _anywhere())
    return db.execute(SQL[verb], (*_row(entry), entry.name, version)).rowcount > 0


def fire(db: Connection, firing: Firing, now: float) -> Fired:
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


# Where the parts of a row stand, by the fragment `entry`; and what an `Entry` ends with.
_NAME_AND_SCHEDULE = slice(0, 2)
_MESSAGE = slice(2, 15)
_REST_OF_ENTRY = slice(15, None)
_APP_TO_EXPIRES = slice(Entry._fields.index("app"), None)


def _row(entry: Entry) -> Row:
    """The values of an entry, from `schedule` on; without its version, and without what a message
    has only when it is sent."""
    _, task, payload, serializer, queue, priority, _, expires, _, *rest = entry.message
    message = (task, payload, serializer, queue, priority, expires, *rest)
    times = (entry.moment, entry.due, entry.planned)
    return (entry.schedule, *message, *times, *tuple(entry)[_APP_TO_EXPIRES])


def entry_of(row: Row) -> Entry:
    """A row of `schedules`."""
    message = Message._make(row[_MESSAGE])
    entry = Entry._make((*row[_NAME_AND_SCHEDULE], message, *row[_REST_OF_ENTRY]))
    return entry._replace(paused=bool(entry.paused), overlap=bool(entry.overlap))
