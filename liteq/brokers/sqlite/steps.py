"""Durable steps of tasks, and events that tasks wait for."""

from collections.abc import Sequence
from sqlite3 import Connection

from ...exceptions import InvalidTaskError
from ...model.checks import UNREADABLE, check_event, check_step
from ...model.outcome import Settlement
from ...model.step import Event, Step
from .changes import Changes
from .limits import note_woken
from .limits import sweep as sweep_limits
from .rows import Row
from .statements import SQL, load

_SQL = load("steps.sql")

STEPS, EVENT, EVENTS = _SQL["steps"], _SQL["event"], _SQL["events"]
"""Queries for `steps_of` and `event_of`."""


def write_steps(db: Connection, settlement: Settlement) -> bool:
    """Write the steps of a claimed task; return False, and write nothing, if its claim was lost."""
    key, token = settlement.receipt
    if settlement.steps is None:
        db.execute(_SQL["forget_steps"], (key, token))
        return True
    rows = [(*step_row(step), key, token) for step in settlement.steps]
    if db.executemany(_SQL["keep_step"], rows).rowcount != len(rows):
        return False
    db.execute(_SQL["mark_details"], (key,))
    return True


def await_events(
    db: Connection, retries: Sequence[Settlement], now: float, changes: Changes
) -> None:
    """Let tasks, which are just written as running again later, wait for their events.

    One whose event is there already is made ready. Those without one wait for none any longer.
    """
    if db.execute(_SQL["is_awaited"]).fetchall():  # elsewhere a retry would cost 5 % more
        db.executemany(_SQL["stop_awaiting"], [(each.receipt.key,) for each in retries])
    for each in retries:
        if each.event is not None:
            _await_event(db, each.event, int(each.receipt.key), now, changes)


def _await_event(db: Connection, key: str, seq: int, now: float, changes: Changes) -> None:
    for _, value, serializer, *_ in db.execute(EVENT, (key, now)).fetchall():
        db.execute(_SQL["give_event_to"], (value, serializer, now, key, seq))
        for queue, woken, tied in db.execute(_SQL["wake_at_once"], (seq,)).fetchall():
            changes.woken(queue)
            note_woken(tied, woken, changes)
        return
    db.execute(_SQL["await"], (seq, key))


def insert_steps(
    db: Connection, id: str, steps: Sequence[Step], event: str | None, now: float
) -> None:
    """Store the steps of the new task `id`, and the key of the event that it waits for."""
    ((seq,),) = db.execute(_SQL["seq"], (id,)).fetchall()
    db.executemany(_SQL["insert_step"], [(*step_row(step), seq) for step in steps])
    db.execute(_SQL["mark_details"], (seq,))
    if event is not None:
        _await_event(db, event, seq, now, Changes())  # all workers are notified of what has come


def emit(db: Connection, event: Event, now: float, changes: Changes) -> bool:
    """Store an event and wake what waits for it; return False if another one of its key counts."""
    for row in db.execute(EVENT, (event.key, now)).fetchall():
        return bool(row[-1] == event.id)
    db.execute(_SQL["insert_event"], event)
    values = {"key": event.key, "value": event.value, "serializer": event.serializer, "now": now}
    db.execute(_SQL["give_event"], values)
    for queue, woken, tied in db.execute(_SQL["wake_by_event"], (event.key,)).fetchall():
        changes.woken(queue)
        note_woken(tied, woken, changes)
    db.execute(_SQL["forget_waits"], (event.key,))
    return True


def sweep(db: Connection, limit: int, now: float) -> int:
    """Delete up to `limit` tasks that need not be kept, and events; return how many tasks."""
    db.execute(_SQL["sweep_events"], (now, limit))
    sweep_limits(db, limit, now)
    swept = db.execute(SQL["sweep"], (now, limit)).rowcount
    if swept:
        db.execute(SQL["sweep_groups"])
    return swept


def steps_of(id: str, rows: list[Row]) -> list[Step]:
    """Return the steps of the task `id`, of rows of `STEPS`. Raises InvalidTaskError."""
    try:
        return [_step_of(row) for row in rows]
    except UNREADABLE as exc:
        raise InvalidTaskError(f"the steps of the task {id} cannot be read: {exc}") from exc


def event_of(key: str, rows: list[Row]) -> Event | None:
    """Return the event `key`, of rows of `EVENT`; None for no row. Raises InvalidTaskError."""
    if not rows:
        return None
    event = Event._make(rows[0])
    try:
        check_event(event)
    except UNREADABLE as exc:
        raise InvalidTaskError(f"the event {key!r} cannot be read: {exc}") from exc
    return event


def step_row(step: Step) -> Row:
    """Return the values of a step, for `keep_step`."""
    return (step.name, str(step.kind), *step[2:6], int(step.failed))


def _step_of(row: Row) -> Step:
    *fields, failed = row
    step = Step._make((*fields, bool(failed)))
    check_step(step)
    return step
