"""Moving tasks from this store to another one, and from another one to this."""

from sqlite3 import Connection

from ...model.graph import Group, Place
from ...model.message import Attempt, Record
from ..transfer import MovedGroup, Transfer, TransferBatch
from .rows import Row, record_of
from .statements import SQL, load

_SQL = load("moving.sql")


def pack_single_tasks(db: Connection, size: int) -> TransferBatch:
    """Return up to `size` tasks that belong to no workflow, oldest first."""
    return TransferBatch(_transfers(db, _SQL["single_tasks"], (size,)), [])


def pack_workflows(db: Connection) -> TransferBatch:
    """Return all that belongs to workflows; nothing if some of it runs."""
    if db.execute(_SQL["running_workflow"]).fetchall():
        return TransferBatch([], [])
    groups = [
        MovedGroup(Group(id, outer, position, bool(forgiving)), closed, blame, bool(released))
        for id, outer, position, forgiving, closed, blame, released in db.execute(_SQL["groups"])
    ]
    return TransferBatch(_transfers(db, _SQL["workflow_tasks"], ()), groups)


def store_transfers(db: Connection, batch: TransferBatch, now: float) -> None:
    """Store `batch` as it is, except for known ids."""
    for transfer in batch.transfers:
        _store_transfer(db, transfer, now)
    db.executemany(_SQL["insert_group"], map(_group_row, batch.groups))


def discard(db: Connection, batch: TransferBatch) -> None:
    """Drop `batch`, except for tasks that run by now."""
    tasks = [(transfer.record.message.id,) for transfer in batch.transfers]
    groups = [(moved.group.id,) for moved in batch.groups]
    db.executemany(_SQL["discard"], tasks)
    db.executemany(_SQL["discard_group"], groups)


def _transfers(db: Connection, query: str, values: Row) -> list[Transfer]:
    records = map(record_of, db.execute(query, values).fetchall())
    return [_transfer(db, record) for record in records]


def _transfer(db: Connection, record: Record) -> Transfer:
    id = record.message.id
    ((takes, on_failure, tied, delay),) = db.execute(_SQL["place"], (id,)).fetchall()
    after = (record.waits, record.barrier, on_failure, bool(takes))
    place = Place(*after, record.group, record.position, bool(tied), delay)
    attempts = [Attempt._make(row) for row in db.execute(SQL["attempts"], (id,)).fetchall()]
    return Transfer(record, place, attempts)


def _store_transfer(db: Connection, transfer: Transfer, now: float) -> None:
    """Store one task, unless its id is known."""
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
        *(place.takes, place.on_failure, place.tied, place.delay, len(attempts)),
    )
    if not db.execute(_SQL["insert_task"], row).rowcount:
        return
    for each in attempts:
        by = _worker_of(db, each.worker, now)
        values = (each.number, each.started, each.ended, by, each.outcome, each.error)
        db.execute(_SQL["insert_attempt"], (*values, record.message.id))


def _worker_of(db: Connection, name: str | None, now: float) -> int | None:
    """Return the id of a stopped worker called `name`, whose row is there for its name only."""
    if name is None:
        return None
    for (id,) in db.execute(_SQL["worker_of_name"], (name,)).fetchall():
        return int(id)
    return db.execute(_SQL["insert_stopped_worker"], (name, now, now, now)).lastrowid


def _group_row(moved: MovedGroup) -> Row:
    return (*moved.group, moved.closed, moved.blame, moved.released)
