"""The table of listeners, which are notified when tasks are sent or have ended."""

from collections.abc import Iterable
from contextlib import suppress

from ..owners import Owner, is_dead, this_process
from .rows import Row
from .session import SHORT_TIMEOUT, Session, WriteOptions
from .sockets import SocketListener
from .statements import SQL

_NOT_DURABLE = WriteOptions("normal", SHORT_TIMEOUT)  # listeners do not survive a power cut


def listen(session: Session, worker: int | None) -> SocketListener:
    """Return a new listener: for work if `worker` is given, else for results."""

    def unlisten(address: str) -> None:
        with suppress(Exception):  # a row that stays is dropped once its process has exited
            session.write(_NOT_DURABLE, lambda db: db.execute(SQL["unlisten"], (address,)))

    listener = SocketListener(session.changed, unlisten)
    row = (listener.address, worker, str(this_process()))
    session.write(_NOT_DURABLE, lambda db: db.execute(SQL["listen"], row))
    return listener


def unlisten_dead(session: Session, options: WriteOptions) -> None:
    """Drop the listeners of processes that have exited."""
    dead = dead_listeners(session.read(SQL["listeners"]))
    if dead:
        session.write(options, lambda db: db.executemany(SQL["unlisten"], dead))


def dead_listeners(rows: Iterable[Row]) -> list[tuple[str]]:
    """Return the addresses, of the rows of `listeners`, whose process has exited for certain."""
    return [(address,) for address, owner in rows if is_dead(Owner.parse(owner))]
