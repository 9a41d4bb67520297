"""Durable steps and events, in the tables."""

from collections.abc import Iterable

from ...model.outcome import Settlement
from ...model.step import Event, Step
from ...states import Phase
from .tables import Tables


def write_steps(tables: Tables, id: str, steps: Iterable[Step] | None) -> None:
    """Store steps of a task; None: forget all that it has."""
    if steps is None:
        tables.steps.pop(id, None)
        return
    for step in steps:
        memoryview(step.value or b"")  # raises for what is not bytes
        tables.add_step(id, step)


def take_event(tables: Tables, id: str, event: Event, now: float) -> None:
    """Give the step of a task that waits for `event` the value of that."""
    step = tables.steps.get(id, {}).get(event.key)
    if step is not None:
        ended = step._replace(at=now, value=event.value, serializer=event.serializer)
        tables.add_step(id, ended)


def woken_already(tables: Tables, id: str, settlement: Settlement, now: float) -> Settlement:
    """Return the settlement of a task that is to wait; READY if its event is there already."""
    event = tables.live_event(settlement.event, now) if settlement.event else None
    if event is None:
        return settlement
    take_event(tables, id, event, now)
    return settlement._replace(phase=Phase.READY, event=None)


def drop_old_events(tables: Tables, limit: int, now: float) -> None:
    """Delete up to `limit` events that are too old."""
    old = [event for event in tables.events.values() if not event.is_kept(now)]
    for event in sorted(old, key=lambda event: event.keep_until or now)[:limit]:
        del tables.events[event.key]
