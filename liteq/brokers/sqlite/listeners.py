"""The table of listeners, which are notified when tasks are sent or have ended."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from ..owners import Owner, is_dead, this_process
from .rows import Row
from .session import SHORT_TIMEOUT, Session, WriteOptions
from .sockets import SocketListener, remove_closed_sockets
from .statements import SQL

_NOT_DURABLE = WriteOptions("normal", SHORT_TIMEOUT)  # listeners do not survive a power cut
_LOOK_EVERY = 10.0  # seconds
_LOOK_AT = 500  # listeners, and as many files: at worst 10 ms each time


def listen(session: Session, worker: int | None) -> SocketListener:
    """Return a new listener: for work if `worker` is given, else for results."""

    def unlisten(address: str) -> None:
        with suppress(Exception):  # a row that stays is dropped once its process has exited
            session.write(_NOT_DURABLE, lambda db: db.execute(SQL["unlisten"], (address,)))

    listener = SocketListener(session.changed, unlisten)
    row = (listener.address, worker, str(this_process()))
    with ExitStack() as on_error:
        on_error.callback(listener.close)
        session.write(_NOT_DURABLE, lambda db: db.execute(SQL["listen"], row))
        on_error.pop_all()
    return listener


def unlisten_dead(session: Session, options: WriteOptions) -> None:
    """Drop the listeners of processes that have exited."""
    dead = dead_listeners(session.read(SQL["listeners"]))
    if dead:
        session.write(options, lambda db: db.executemany(SQL["unlisten"], dead))


def dead_listeners(rows: Sequence[Row]) -> list[tuple[str]]:
    """Return the addresses, of the rows of `listeners`, whose process has exited for certain."""
    owners = {owner for _, owner in rows}  # a process may have hundreds
    dead = {owner for owner in owners if is_dead(Owner.parse(owner))}
    return [(address,) for address, owner in rows if owner in dead]


class ListenerTidying:
    """Drops what killed processes have left: their listeners, and the files of their sockets.

    Each costs a sender of notifications one system call. It looks at some of them now and then.
    """

    def __init__(self) -> None:
        self._due = 0.0  # `time.monotonic`
        self._last = ""  # the address at which the last look ended

    def run(self, session: Session) -> None:
        """Look, unless that was done a short time ago."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _LOOK_EVERY
        rows = session.read(SQL["listeners_after"], (self._last, _LOOK_AT), SHORT_TIMEOUT)
        self._last = rows[-1][0] if len(rows) == _LOOK_AT else ""
        if dead := dead_listeners(rows):
            session.write(_NOT_DURABLE, lambda db: db.executemany(SQL["unlisten"], dead))
        remove_closed_sockets(_LOOK_AT)
