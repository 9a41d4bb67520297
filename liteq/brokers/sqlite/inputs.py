"""Inputs: what a claimed task takes from the tasks that it has waited for."""

from operator import itemgetter
from sqlite3 import Connection
from typing import Any

from ...model.message import Delivery, Input, Message
from ...model.options import with_options_of_member
from ...model.unique import same_as
from ...states import Phase
from .statements import SQL
from .uniquekeys import followed


def with_inputs(db: Connection, delivery: Delivery) -> Delivery:
    """Return the `delivery` of a task that has waited for others, with its inputs."""
    place = db.execute(SQL["place"], (delivery.key,)).fetchall()
    ((takes, waits, barrier, on_failure, details),) = place
    if details and (end := followed(db, delivery.key)) is not None:
        return delivery._replace(inputs=same_as(_cause(db, *end)))
    if waits is None or not (takes or on_failure):
        return delivery
    if on_failure:
        return delivery._replace(inputs=_failure(db, waits))
    return delivery._replace(inputs=_members(db, waits) if barrier else _one(db, waits))


def _one(db: Connection, id: str) -> Input | None:
    rows = db.execute(SQL["input"], (id,)).fetchall()
    return next((Input(*row) for row in rows), None)


def _members(db: Connection, group: str) -> list[Any]:
    """Return the inputs from the members of a group in their order; of inner groups, lists."""
    tasks = db.execute(SQL["inputs"], (group,)).fetchall()
    groups = db.execute(SQL["inner_groups"], (group,)).fetchall()
    found: list[tuple[int, Any]] = [
        (position, _cause(db, phase, serializer, result, traceback, blame))
        for position, phase, serializer, result, traceback, blame in tasks
    ]
    found += [(position, _members(db, inner)) for position, inner in groups]
    found.sort(key=itemgetter(0))
    return [each for _, each in found]


def _failure(db: Connection, id: str) -> Input | None:
    """Return the failure of a task, with its message."""
    rows = db.execute(SQL["failed_input"], (id,)).fetchall()
    for phase, serializer, result, traceback, blame, group, position, *fields in rows:
        cause = _cause(db, phase, serializer, result, traceback, blame)
        member = None if group is None else (group, position, options_of_group(db, group))
        message = with_options_of_member(Message._make(fields), member)
        return cause._replace(blame=blame, message=tuple(message))
    return None


def options_of_group(db: Connection, id: object) -> Any:
    """Return the options that all members of a group have; None if there are none."""
    rows = db.execute(SQL["options_of_group"], (id,)).fetchall()
    return next((options for (options,) in rows), None)


def _cause(
    db: Connection,
    phase: int,
    serializer: str | None,
    result: bytes | None,
    traceback: str | None,
    blame: str | None,
) -> Input:
    """Return the outcome of a task; of one that was skipped, the failure that led to it."""
    cause = _one(db, blame) if phase == Phase.SKIPPED and blame is not None else None
    return cause._replace(phase=phase) if cause else Input(phase, serializer, result, traceback)
