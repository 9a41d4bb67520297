"""Storing new tasks that are in no workflow."""

from collections.abc import Sequence
from itertools import repeat
from sqlite3 import Connection

from ...model.message import Message
from .changes import Changes
from .rows import initial_tokens, is_minimal, minimal_row, task_row
from .statements import SQL


def insert_messages(db: Connection, messages: Sequence[Message], now: float) -> None:
    """Store those of `messages` whose ids are new."""
    tokens = initial_tokens()
    # Rows are made as they are written: a list of them would keep the garbage collector busy.
    if all(map(is_minimal, messages)):
        db.executemany(SQL["enqueue_minimal"], map(minimal_row, messages, repeat(now), tokens))
    else:
        db.executemany(SQL["enqueue"], map(task_row, messages, repeat(now), tokens))


def insert_or_replace(db: Connection, message: Message, sent: float, changes: Changes) -> bool:
    """Store `message`, in place of a finished task of its id; return False if one is kept."""
    changes.sent([message])
    row = task_row(message, sent, next(initial_tokens()))
    if db.execute(SQL["enqueue"], row).rowcount:
        return True
    if db.execute(SQL["was_sent_at"], (message.id, sent)).fetchall():
        return True  # by this very call, the first time
    if not db.execute(SQL["forget"], (message.id,)).rowcount:
        return False
    db.execute(SQL["enqueue"], row)
    return True
