"""Storing new tasks that are in no workflow."""

from collections.abc import Sequence
from itertools import repeat
from sqlite3 import Connection
from typing import NamedTuple

from ...model.message import Message
from ...model.unique import has_key
from ..uniquekeys import Answers
from .changes import Changes
from .rows import initial_tokens, is_minimal, minimal_row, task_row
from .statements import SQL
from .uniquekeys import ask, follows, insert_keyed, tie


class Keyed(NamedTuple):
    """The outcome of storing messages of which some may have a unique key."""

    answers: Answers
    changes: Changes


def insert_messages(db: Connection, messages: Sequence[Message], now: float) -> Keyed | None:
    """Store those of `messages` whose ids are new; return None if none can have a unique key.

    Raises DuplicateTask.
    """
    tokens = initial_tokens()
    # Rows are made as they are written: a list of them would keep the garbage collector busy.
    if all(map(is_minimal, messages)):
        db.executemany(SQL["enqueue_minimal"], map(minimal_row, messages, repeat(now), tokens))
    elif any(map(has_key, messages)):
        changes = Changes()
        return Keyed(insert_keyed(db, messages, now, changes), changes)
    else:
        db.executemany(SQL["enqueue"], map(task_row, messages, repeat(now), tokens))
    return None


def insert_or_replace(db: Connection, message: Message, sent: float, changes: Changes) -> bool:
    """Store `message`, in place of a finished task of its id.

    Return False if one is kept, or it is to end as the task that has its key. Raises DuplicateTask.
    """
    row = task_row(message, sent, next(initial_tokens()))
    if not db.execute(SQL["enqueue"], row).rowcount:
        if db.execute(SQL["was_sent_at"], (message.id, sent)).fetchall():
            return not follows(db, message.id)  # by this very call, the first time
        if not db.execute(SQL["forget"], (message.id,)).rowcount:
            return False
        db.execute(SQL["enqueue"], row)
    changes.sent([message])
    if not has_key(message):
        return True
    tie(db, [message.id])
    return ask(db, message.id, sent, changes, by_caller=True) is None
