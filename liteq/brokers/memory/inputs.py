"""Inputs: what a claimed task takes from the tasks that it has waited for."""

from typing import Any

from ...model.graph import ALONE
from ...model.message import Input, Member, Record
from ...model.options import with_options_of_member
from ...model.unique import same_as
from ...states import Phase
from .tables import Tables


def inputs_of(tables: Tables, id: str) -> Any:
    """Return the inputs of a task: one, or for a group a list of them, or None."""
    use = tables.keys.get(id)
    if use is not None and use.follows and use.behind is not None:
        holder = tables.tasks.get(use.behind)
        return holder and same_as(_end_of(tables, holder))
    place = tables.places.get(id, ALONE)
    if place.waits is None or not (place.takes or place.on_failure):
        return None
    if place.barrier:
        return _members(tables, place.waits)
    record = tables.tasks.get(place.waits)
    if record is None:
        return None
    return _failure(tables, record) if place.on_failure else _input(record)


def _end_of(tables: Tables, record: Record) -> Input:
    """Return the end of a task, for one that ends as it does. What an unsuccessful task has
    reported is no error."""
    end = _cause(tables, record)
    reported = record.reported is not None and record.phase is not Phase.SUCCEEDED
    return end._replace(result=None) if reported else end


def member_in(tables: Tables, record: Record) -> Member | None:
    """Return a task as a member of its group, if it is in one."""
    if record.group is None:
        return None
    stored = tables.groups.get(record.group)
    return record.group, record.position, stored and stored.group.options


def _members(tables: Tables, group: str) -> list[Any]:
    """Return the inputs from the members of a group in their order; of inner groups, lists."""
    found: list[tuple[int, Any]] = [
        (task.position, _cause(tables, task))
        for task in tables.tasks.values()
        if task.group == group
    ]
    found += [
        (stored.group.position, _members(tables, id))
        for id, stored in tables.groups.items()
        if stored.group.outer == group
    ]
    return [each for _, each in sorted(found, key=lambda member: member[0])]


def _failure(tables: Tables, record: Record) -> Input:
    """Return the failure of a task, with its message."""
    cause = _cause(tables, record)
    message = with_options_of_member(record.message, member_in(tables, record))
    return cause._replace(blame=record.woken_by, message=tuple(message))


def _cause(tables: Tables, record: Record) -> Input:
    """Return the outcome of a task; of one that was skipped, the failure that led to it."""
    cause = record
    if record.phase is Phase.SKIPPED and record.woken_by is not None:
        cause = tables.tasks.get(record.woken_by, record)
    return _input(cause)._replace(phase=record.phase)


def _input(record: Record) -> Input:
    return Input(record.phase, record.result_serializer, record.result, record.traceback)
