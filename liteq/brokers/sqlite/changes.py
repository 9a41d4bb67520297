"""What a transaction has changed that others wait for, and whom to notify of it."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from operator import attrgetter
from sqlite3 import Connection

from ...exceptions import BrokerError
from ...model.message import Message
from ...model.outcome import Settlement
from ...support.randomness import choice
from .notifying import SHORT_TIMEOUT
from .rows import Row
from .session import Session
from .sharedstate import WORKER_SLOTS
from .sockets import SocketListener
from .statements import SQL

_queue = attrgetter("queue")


class Changes:
    """What one transaction has changed."""

    __slots__ = "at_random", "ids", "keys", "later", "left", "log_left", "ready", "settled"

    def __init__(self) -> None:
        self.ready: dict[str, int] = {}  # tasks that can be claimed, by queue
        self.left: set[tuple[str, str]] = set()  # by a worker that does not know them: queue, name
        self.log_left: Callable[[set[str]], object] | None = None  # takes the names
        self.later: set[str] = set()  # queues of tasks with an eta, which a worker has to know
        self.at_random: bool = False  # of the idle workers, wake some at random and not the first
        self.settled: list[Sequence[Settlement]] = []
        self.keys: list[int] = []  # of other tasks that have ended
        self.ids: list[str] = []  # likewise, and of those that have reported a state

    def sent(self, messages: Sequence[Message]) -> None:
        """Note that tasks were stored."""
        ready = [message for message in messages if message.eta is None]
        for queue, count in Counter(map(_queue, ready)).items():
            self.ready[queue] = self.ready.get(queue, 0) + count
        if len(ready) < len(messages):
            self.later.update(message.queue for message in messages if message.eta is not None)

    def woken(self, queue: str, *, later: bool = False) -> None:
        """Note that one task of a queue can be claimed, or has an eta."""
        if not isinstance(queue, str):  # another program may have written it
            return
        if later:
            self.later.add(queue)
        else:
            self.ready[queue] = self.ready.get(queue, 0) + 1

    def retried(self, settlements: Iterable[Settlement]) -> None:
        """Note the next attempts of tasks."""
        # One that was replaced waits for what was sent in its place.
        self.sent([each.retry for each in settlements if each.retry and each.graph is None])

    def claimed_all(self, queues: Sequence[str]) -> None:
        """Note that nothing ready is left in `queues`."""
        if self.ready:
            for queue in set(self.ready).intersection(queues):
                del self.ready[queue]

    def find_ids(self, db: Connection, session: Session) -> None:
        """Read the ids of what has ended, if somebody waits for certain tasks.

        To be called at the end of the transaction, where it costs half of what it does after it.
        """
        if (self.keys or self.settled) and session.waits.any():
            self.ids += _ids(db.execute(*self._query()).fetchall())
            self.keys, self.settled = [], []

    def find_missing_ids(self, session: Session) -> None:
        """Do the same after the transaction, if somebody waits only since a moment ago."""
        if (self.keys or self.settled) and session.waits.any():
            with suppress(BrokerError):  # what is to be told of is stored all the same
                self.ids += _ids(session.read(*self._query(), SHORT_TIMEOUT))

    def _query(self) -> tuple[str, tuple[object, ...]]:
        keys = self.keys + [int(each.receipt.key) for part in self.settled for each in part]
        if len(keys) == 1:
            return SQL["id_of"], (keys[0],)
        return SQL["ids_of"], (json.dumps(keys),)


def pass_on(db: Connection, session: Session, queues: Sequence[str], changes: Changes) -> None:
    """Note that tasks are ready which a worker, being full, has left for another that is idle."""
    if not session.idle.any(queues):
        return
    if len(queues) == 1:
        ready = [queue for queue in queues if db.execute(SQL["is_ready"], (queue,)).fetchall()]
    else:
        found = {queue for (queue,) in db.execute(SQL["ready_queues"]).fetchall()}
        ready = [queue for queue in queues if queue in found]
    for queue in ready[:1]:
        changes.ready.setdefault(queue, 1)


def notify_of_sent(
    session: Session, messages: Sequence[Message], own: Mapping[int, SocketListener]
) -> None:
    """Notify idle workers of `messages`, as `notify` does."""
    if session.put_off is not None:
        session.put_off.append(partial(notify_of_sent, messages=messages, own=own))
        return
    if len(messages) == 1 and messages[0].eta is None:  # as most are: it takes 1 us less
        session.wake(messages[0].queue, 1)
        return
    changes = Changes()
    changes.sent(messages)
    notify(session, changes, own)


def notify(session: Session, changes: Changes, own: Mapping[int, SocketListener]) -> None:
    """Notify those whom `changes` concern, after the transaction.

    `own`: the listeners for work of this process, one of which is told of an eta when no worker is
    idle. In a transaction of the application it is put off until that is committed.
    """
    if session.put_off is not None:
        session.put_off.append(partial(notify, changes=changes, own=own))
        return
    for queue, count in changes.ready.items():
        session.wake(queue, count, at_random=changes.at_random)
    if changes.left:
        _notify_of_left(session, changes)
    for queue in changes.later:
        if not session.wake(queue, 1):
            _wake_any(session, own)
    if changes.keys or changes.settled or changes.ids:
        changes.find_missing_ids(session)
        for key in session.waits.waiting(changes.ids):
            session.notify_key(key)
    session.forget_gone()


def _notify_of_left(session: Session, changes: Changes) -> None:
    """Log that a worker has left tasks, and notify all idle ones: one of them may know these."""
    if changes.log_left is not None:
        changes.log_left({task for _, task in changes.left})
    for queue in {queue for queue, _ in changes.left}:
        session.wake(queue, WORKER_SLOTS)


def _wake_any(session: Session, own: Mapping[int, SocketListener]) -> None:
    """Notify one worker, though it may be full: an eta is to be looked at in time."""
    keys = session.idle.keys()
    mine = keys.intersection(each.key for each in own.values())
    while keys:
        key = mine.pop() if mine else choice(tuple(keys))
        if session.notify_key(key):
            return
        keys.discard(key)


def _ids(rows: Iterable[Row]) -> list[str]:
    return [id for (id,) in rows if isinstance(id, str)]
