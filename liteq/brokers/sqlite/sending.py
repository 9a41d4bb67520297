"""Storing new tasks that are in no workflow."""

from collections.abc import Sequence
from itertools import repeat
from sqlite3 import Connection

from ...model.limit import has_uses
from ...model.message import Message
from .changes import Changes
from .limits import admit_all, note_new
from .rows import initial_tokens, is_minimal, minimal_row, task_row
from .statements import SQL


def insert_messages(db: Connection, messages: Sequence[Message], now: float) -> Changes | None:
    """Store those of `messages` whose ids are new.

    Return what that changes; None if none of them has limits, so that all are ready, or have an
    eta.
    """
    tokens = initial_tokens()
    # Rows are made as they are written: a list of them would keep the garbage collector busy.
    if all(map(is_minimal, messages)):
        db.executemany(SQL["enqueue_minimal"], map(minimal_row, messages, repeat(now), tokens))
        return None
    db.executemany(SQL["enqueue"], map(task_row, messages, repeat(now), tokens))
    if not any(has_uses(message.options) for message in messages):
        return None
    changes = Changes()
    changes.sent([each for each in messages if each.eta is not None or not has_uses(each.options)])
    note_new(db, messages, changes)
    admit_all(db, changes, now)
    return changes


def insert_or_replace(db: Connection, message: Message, sent: float, changes: Changes) -> bool:
    """Store `message`, in place of a finished task of its id; return False if one is kept."""
    changes.sent([message])
    row = task_row(message, sent, next(initial_tokens()))
    if db.execute(SQL["enqueue"], row).rowcount:
        note_new(db, [message], changes)
        return True
    if db.execute(SQL["was_sent_at"], (message.id, sent)).fetchall():
        return True  # by this very call, the first time
    if not db.execute(SQL["forget"], (message.id,)).rowcount:
        return False
    db.execute(SQL["enqueue"], row)
    note_new(db, [message], changes)
    return True
