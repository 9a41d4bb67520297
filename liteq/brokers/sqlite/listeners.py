"""The table of listeners: who is notified when tasks are sent, or have ended."""

from collections.abc import Iterable
from contextlib import suppress

from ..owners import Owner, is_dead, this_process
from .rows import Row
from .session import SHORT_TIMEOUT, Session, WriteOptions
from .sockets import SocketListener
from .statements import SQL

_NOT_DURABLE = WriteOptions("normal", SHORT_TIMEOUT)  # nobody misses a listener after a power cut


def listen(session: Session, worker: int | None) -> SocketListener:
    """Return a new listener: of a worker for work, or with None for results."""

    def unlisten(address: str) -> None:
        with suppress(Exception):  # a row that stays is dropped with others of dead processes
            session.write(_NOT_DURABLE, lambda db: db.execute(SQL["unlisten"], (address,)))

    listener = SocketListener(session.changed, unlisten)
    row = (listener.address, worker, str(this_process()))
    session.write(_NOT_DURABLE, lambda db: db.execute(SQL["listen"], row))
    return listener


def unlisten_dead(session: Session, level: WriteOptions) -> None:
    """Drop the listeners of processes that are gone."""
    dead = dead_listeners(session.read(SQL["listeners"]))
    if dead:
        session.write(level, lambda db: db.executemany(SQL["unlisten"], dead))


def dead_listeners(rows: Iterable[Row]) -> list[tuple[str]]:
    """Return, of the rows of `listeners`, the addresses whose process is proven to be gone."""
    return [(address,) for address, owner in rows if is_dead(Owner.parse(owner))]
