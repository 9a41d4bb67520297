"""Entries of periodic tasks, beside the tasks that they send."""

from collections.abc import Iterable
from sqlite3 import Connection

from ...exceptions import InvalidTaskError
from ...model.checks import check_entry
from ...model.entry import Entry, Fired, Firing
from ...model.message import Message
from ...model.unique import key_of
from ...support.randomness import getrandbits
from ..stored import StoredSchedules
from ..transfer import unreadable
from .changes import Changes
from .passing import PAUSING
from .rows import Row, task_row
from .statements import SQL
from .uniquekeys import send

# Positions in a row of the fragment `entry` in statements.sql.
_NAME_AND_SCHEDULE = slice(0, 2)
_MESSAGE = slice(2, 15)
_REST_OF_ENTRY = slice(15, None)

# The last fields of an `Entry`.
_APP_TO_UNDECLARED = slice(Entry._fields.index("app"), None)


def delete_entries(db: Connection, names: Iterable[str]) -> list[str]:
    """Delete entries; return the names of those that existed."""
    once = dict.fromkeys(names)
    return [name for name in once if db.execute(SQL["unschedule"], (name,)).rowcount]


def write_entry(db: Connection, entry: Entry) -> bool:
    """Write one entry; return False if the one that it replaces was changed or dropped."""
    if entry.version:
        statement, version = "reschedule", entry.version
    else:
        # Any version, so that it is never taken for an entry of this name that was dropped.
        statement, version = "schedule", getrandbits(48) + 1
    return db.execute(SQL[statement], (*_row(entry), entry.name, version)).rowcount > 0


def fire(db: Connection, firing: Firing, now: float, changes: Changes) -> Fired:
    """Advance one entry and send its message; return what became of it."""
    entry, message = firing
    step = (entry.moment, entry.due, entry.planned, entry.name, entry.version)
    if not db.execute(SQL["advance"], step).rowcount:
        return Fired.STALE
    if message is None:
        return Fired.DONE
    if db.execute(PAUSING["skips"], (message.queue, message.task)).fetchall():
        return Fired.PAUSED
    if not entry.overlap and db.execute(SQL["unfinished_run"], (entry.name,)).fetchall():
        return Fired.HELD
    key = key_of(message)
    if key is not None and not db.execute(SQL["is_known"], (message.id,)).fetchall():
        if send(db, message, key, now, changes, by_caller=False) is not None:
            return Fired.HELD
    else:
        db.execute(SQL["enqueue"], task_row(message, now, getrandbits(48)))
        changes.sent([message])
    db.execute(SQL["count_run"], (entry.runs, entry.last, entry.last_id, entry.name))
    return Fired.DONE


def entries_of(rows: Iterable[Row]) -> StoredSchedules:
    """Return the entries of rows of `schedules`."""
    entries, left = [], {}
    for row in rows:
        try:
            entries.append(_entry_of(row))
        except InvalidTaskError as exc:
            left[str(row[0])] = unreadable(exc)
    return StoredSchedules(entries, left)


def _entry_of(row: Row) -> Entry:
    message = Message._make(row[_MESSAGE])
    entry = Entry._make((*row[_NAME_AND_SCHEDULE], message, *row[_REST_OF_ENTRY]))
    check_entry(entry)
    paused, overlap, undeclared = map(bool, (entry.paused, entry.overlap, entry.undeclared))
    return entry._replace(paused=paused, overlap=overlap, undeclared=undeclared)


def _row(entry: Entry) -> Row:
    """Return the values of `schedule` and `reschedule`, without the name and the version.

    Of the message those fields are left out that each run has for itself: id, eta, retries.
    """
    _, task, payload, serializer, queue, priority, _, expires, _, *rest = entry.message
    message = (task, payload, serializer, queue, priority, expires, *rest)
    times = (entry.moment, entry.due, entry.planned)
    return (entry.schedule, *message, *times, *tuple(entry)[_APP_TO_UNDECLARED])
