"""The results of the tasks that the end of a task started."""

from typing import Any

from ..model.message import Record
from ..model.options import options_of
from .base import KINDS, ResultBase
from .workflow import started_by


def children_of(result: Any, record: Record) -> list[ResultBase]:
    """Return the results of the tasks that the end of `result` started: callbacks, the next step of
    its chain, the body of its chord. The tasks of a group are one result."""
    broker = result.backend.broker
    found: list[ResultBase] = []
    groups: dict[str, dict[int, ResultBase]] = {}
    for each in broker.fetch(started_by(broker, record)):
        if each is None or each.on_failure:
            continue
        options = options_of(each.message)
        child = KINDS["task"](each.message.id, app=result.app)
        group = options.get("group_id", each.group)  # the option: of a group that nothing waits for
        if group is None or each.barrier:
            found.append(child)
        else:
            groups.setdefault(group, {})[options.get("group_index", each.position)] = child
    for group, members in groups.items():
        results = [members[n] for n in sorted(members)]
        found.append(KINDS["group"](group, results, app=result.app))
    return found
