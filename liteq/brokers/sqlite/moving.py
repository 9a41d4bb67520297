"""Tasks of this store to another one, and of another one to this."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from sqlite3 import Connection

from ...model.graph import Group, Place
from ...model.message import Attempt, Record
from ..transfer import GroupState, Movable, Transfer, TransferBatch
from .rows import Row, record_of
from .session import Level, Session
from .statements import SQL, load

_LOOK = Level("normal")
_DURABLE = Level("full")
_SQL = load("moving.sql")


class Moving(Movable):
    """Packs and unpacks rows."""

    _sent: Level

    def pack(self, size: int) -> Iterator[TransferBatch]:
        session = self._session()
        seen: set[str] = set()
        while True:
            batch = session.write(
                _LOOK, lambda db: TransferBatch(_parcels(db, _SQL["alone"], (size,)), [])
            )
            ids = {transfer.record.message.id for transfer in batch.transfers}
            if ids <= seen:  # nothing more, or nobody discards them
                break
            seen = ids
            yield batch
        batch = session.write(_LOOK, _workflows)
        if batch.transfers:
            yield batch

    def unpack(self, batch: TransferBatch) -> int:
        now = self.clock()

        def work(db: Connection) -> tuple[int, list[tuple[str]]]:
            new = sum(_adopt(db, transfer, now) for transfer in batch.transfers)
            db.executemany(_SQL["adopt_group"], map(_group_row, batch.groups))
            return new, db.execute(SQL["work_listeners"]).fetchall()

        session = self._session()
        new, listeners = session.write(_DURABLE, work)
        self._notify(session, listeners)
        return new

    def discard(self, batch: TransferBatch) -> None:
        tasks = [(transfer.record.message.id,) for transfer in batch.transfers]
        groups = [(state.group.id,) for state in batch.groups]

        def work(db: Connection) -> None:
            db.executemany(_SQL["discard"], tasks)
            db.executemany(_SQL["discard_group"], groups)

        self._session().write(_DURABLE, work)

    @abstractmethod
    def _session(self) -> Session:
        """The session of the calling thread."""

    @abstractmethod
    def _notify(self, session: Session, listeners: Sequence[tuple[str]]) -> None:
        """Ring them."""


def _workflows(db: Connection) -> TransferBatch:
    if db.execute(_SQL["busy"]).fetchall():
        return TransferBatch([], [])
    groups = [
        GroupState(Group(id, outer, position, bool(forgiving)), closed, blame, bool(released))
        for id, outer, position, forgiving, closed, blame, released in db.execute(_SQL["groups"])
    ]
    return TransferBatch(_parcels(db, _SQL["together"], ()), groups)


def _parcels(db: Connection, query: str, values: Row) -> list[Transfer]:
    records = map(record_of, db.execute(query, values).fetchall())
    return [_transfer(db, record) for record in records]


def _transfer(db: Connection, record: Record) -> Transfer:
    id = record.message.id
    ((takes, on_failure, tied, delay),) = db.execute(_SQL["place"], (id,)).fetchall()
    after = (record.waits, record.barrier, on_failure, bool(takes))
    place = Place(*after, record.group, record.position, bool(tied), delay)
    attempts = [Attempt._make(row) for row in db.execute(_SQL["earlier"], (id,)).fetchall()]
    return Transfer(record, place, attempts)


def _adopt(db: Connection, transfer: Transfer, now: float) -> int:
    record, place, attempts = transfer
    worker = _worker_of(db, record.worker, now)
    times = (record.created, record.started, record.finished, record.keep_until)
    row = (
        *record.message,
        record.phase,
        record.lost,
        worker,
        *times,
        *(record.result, record.result_serializer, record.traceback, record.reported),
        *(record.woken_by, place.waits, place.barrier, place.group, place.position),
        *(place.takes, place.on_failure, place.followed, place.delay, len(attempts)),
    )
    if not db.execute(_SQL["adopt"], row).rowcount:
        return 0
    for each in attempts:
        name = _worker_of(db, each.worker, now)
        told = (each.number, each.started, each.ended, name, each.outcome, each.error)
        db.execute(_SQL["adopt_attempt"], (*told, record.message.id))
    return 1


def _worker_of(db: Connection, name: str | None, now: float) -> int | None:
    """The number of a worker that is no more, so that its name can be told."""
    if name is None:
        return None
    for (number,) in db.execute(_SQL["worker_of"], (name,)).fetchall():
        return int(number)
    return db.execute(_SQL["former_worker"], (name, now, now, now)).lastrowid


def _group_row(state: GroupState) -> Row:
    return (*state.group, state.closed, state.blame, state.released)
