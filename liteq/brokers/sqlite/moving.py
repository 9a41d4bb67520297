"""Moving tasks from this store to another one, and from another one to this."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from sqlite3 import Connection
from typing import Any

from ...exceptions import InvalidTaskError
from ...model.graph import Group
from ...model.message import Attempt
from ...model.step import Event
from ..transfer import (
    KEEP_ARRIVALS,
    Arrival,
    Left,
    MovedGroup,
    Transfer,
    TransferBatch,
    batch_of,
    unreadable,
)
from .output import OUTPUT, insert_outputs, outputs_of
from .rows import Row, phase_in, place_of, read_record
from .statements import SQL, load
from .steps import STEPS, event_of, insert_steps, steps_of

_SQL = load("moving.sql")


def pack(read: Callable[[Callable[[Connection], Any]], Any], size: int) -> Iterator[TransferBatch]:
    """Yield all that does not run. `read` reads by a function as of one moment."""
    last: int | None = 0
    while last is not None:
        batch, last = read(partial(_single_tasks, after=last, size=size))
        if last is not None:
            yield batch
    batch = read(_workflows)
    if batch.transfers or batch.left:
        yield batch


def _single_tasks(db: Connection, after: int, size: int) -> tuple[TransferBatch, int | None]:
    """Return up to `size` tasks that belong to no workflow, oldest first, from behind the seq
    `after`; and the seq of the last of them, None if there are no more."""
    rows = db.execute(_SQL["single_tasks"], (after, size)).fetchall()
    last = db.execute(_SQL["seq"], (rows[-1][0],)).fetchone()[0] if rows else None
    return _batch(db, rows, {}), last


def _workflows(db: Connection) -> TransferBatch:
    """Return all that belongs to workflows; nothing if some of it runs."""
    if db.execute(_SQL["running_workflow"]).fetchall():
        return TransferBatch([], [])
    groups = {row[0]: _moved_group_of(row) for row in db.execute(_SQL["groups"]).fetchall()}
    return _batch(db, db.execute(_SQL["workflow_tasks"]).fetchall(), groups)


def pack_events(rows: Iterable[Row]) -> list[Event]:
    """Return the events of rows of `EVENTS`, but for those that cannot be read."""
    found: list[Event] = []
    for row in rows:
        with suppress(InvalidTaskError):
            found += filter(None, [event_of(str(row[0]), [row])])
    return found


def store_transfers(db: Connection, batch: TransferBatch, now: float) -> None:
    """Store `batch` as it is, except for known ids, and that it has arrived."""
    for transfer in batch.transfers:
        _store_transfer(db, transfer, now)
    db.executemany(_SQL["insert_group"], map(_group_row, batch.groups))
    db.execute(_SQL["delete_old_arrivals"], (now - KEEP_ARRIVALS,))
    db.executemany(_SQL["insert_arrival"], [(*each, now) for each in batch.arrivals])


def arrived(db: Connection) -> list[Arrival]:
    """Return what was stored here and is not confirmed."""
    found = []
    for row in db.execute(_SQL["arrivals"]).fetchall():
        with suppress(InvalidTaskError):  # it is none that liteq wrote
            found.append(Arrival(*row).checked())
    return found


def confirm(db: Connection, arrivals: Iterable[Arrival]) -> None:
    """Forget that these have arrived."""
    db.executemany(_SQL["confirm"], arrivals)


def discard(db: Connection, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Delete what has arrived in another store, except for tasks that run by now; return it."""
    tasks = [each for each in arrivals if each.created is not None]
    deleted = [each for each in tasks if db.execute(_SQL["discard"], each).rowcount]
    # Now no task of theirs is left, unless it runs.
    groups = [each for each in arrivals if each.created is None]
    deleted += [each for each in groups if db.execute(_SQL["discard_group"], (each.id,)).rowcount]
    confirm(db, deleted)
    return deleted


def _batch(
    db: Connection, rows: Iterable[Row], groups: Mapping[Any, MovedGroup | None]
) -> TransferBatch:
    return batch_of((_transfer_of(db, row) for row in rows), groups)


def _moved_group_of(row: Row) -> MovedGroup | None:
    """Return a group with its state; None for one that cannot be read."""
    id, outer, position, forgiving, options, closed, blame, released = row
    group = Group(id, outer, position, bool(forgiving), options)
    try:
        return MovedGroup(group, closed, blame, bool(released)).checked()
    except InvalidTaskError:
        return None


def _transfer_of(db: Connection, row: Row) -> Transfer | Left:
    """Return a task with all that is known of it."""
    try:
        return _transfer(db, row).checked()
    except InvalidTaskError as exc:
        return Left(str(row[0]), unreadable(exc), place_of(row))


def _transfer(db: Connection, row: Row) -> Transfer:
    record = read_record(row)
    if record.phase != phase_in(row):
        raise InvalidTaskError("its phase is that of another version")
    id = record.message.id
    ((takes, tied, delay),) = db.execute(_SQL["place"], (id,)).fetchall()
    place = place_of(row)._replace(takes=bool(takes), followed=bool(tied), delay=delay)
    attempts = [Attempt._make(row) for row in db.execute(SQL["attempts"], (id,)).fetchall()]
    steps = steps_of(id, db.execute(STEPS, (id,)).fetchall())
    outputs = outputs_of(db.execute(OUTPUT, (id, 0, 0)).fetchall())
    return Transfer(record, place, attempts, steps, outputs)


def _store_transfer(db: Connection, transfer: Transfer, now: float) -> None:
    """Store one task, unless its id is known."""
    record, place, attempts, steps, outputs = transfer
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
    if steps:
        insert_steps(db, record.message.id, steps, record.event, now)
    if outputs:
        insert_outputs(db, record.message.id, outputs)


def _worker_of(db: Connection, name: str | None, now: float) -> int | None:
    """Return the id of a stopped worker called `name`, whose row is there for its name only."""
    if name is None:
        return None
    for (id,) in db.execute(_SQL["worker_of_name"], (name,)).fetchall():
        return int(id)
    return db.execute(_SQL["insert_stopped_worker"], (name, now, now, now)).lastrowid


def _group_row(moved: MovedGroup) -> Row:
    return (*moved.group, moved.closed, moved.blame, moved.released)
