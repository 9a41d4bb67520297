"""Views of tasks, queues and workers, with the keys that docs/reference/cli.md explains.

User data is never decoded for them: of arguments only the size is shown.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ..app.registry import own_tasks
from ..brokers.base import QueueCount, WorkerInfo
from ..brokers.serving import facts_of, names_in
from ..model.message import Record
from ..model.pause import Pause
from ..model.step import Step
from ..result.backend import state_of
from ..result.steps import state_of_step
from ..states import Phase
from .output import moment

View = dict[str, Any]
PHASES = [phase.name.lower() for phase in Phase]


def task_view(record: Record) -> View:
    """Return the view of a task."""
    message = record.message
    return {
        "id": message.id,
        "name": message.task,
        "state": state_of(record),
        "phase": record.phase.name.lower(),
        "queue": message.queue,
        "priority": message.priority,
        "serializer": message.serializer,
        "size": len(message.payload),
        "retries": message.retries,
        "lost": record.lost,
        "worker": record.worker,
        "created": moment(record.created),
        "eta": moment(message.eta),
        "expires": moment(message.expires),
        "started": moment(record.started),
        "finished": moment(record.finished),
    }


def step_view(step: Step, now: float) -> View:
    """Return the view of a durable step at the time `now`."""
    return {
        "name": step.name,
        "kind": step.kind,
        "state": state_of_step(step, now),
        "at": moment(step.at),
        "until": moment(step.until),
        "size": None if step.serializer is None else len(step.value or b""),
    }


def worker_view(worker: WorkerInfo, now: float) -> View:
    """Return the view of a worker at the time `now`."""
    info = facts_of(worker)
    return {
        "name": worker.name,
        "number": worker.id,
        "pid": worker.pid,
        "host": worker.host,
        "pool": info.get("pool"),
        "concurrency": info.get("concurrency"),
        "processes": _list(info, "processes"),
        "queues": names_in(worker, "queues"),
        "done": info.get("done", 0),
        "started": moment(worker.started),
        "uptime": _since(worker.started, now),
        "beat_age": _since(worker.beat, now),
    }


def worker_tasks(worker: WorkerInfo) -> list[str]:
    """Return the names of the tasks that `worker` can run."""
    return own_tasks(names_in(worker, "tasks"))


def queue_views(counts: Iterable[QueueCount]) -> list[View]:
    """Return the views of queues in the order of their names, with a count for every phase."""
    queues: dict[str, View] = {}
    for queue, phase, count in counts:
        nothing = {"name": queue, **dict.fromkeys(PHASES, 0)}
        queues.setdefault(queue, nothing)[phase.name.lower()] = count
    return [queues[name] for name in sorted(queues)]


def pause_view(pause: Pause) -> View:
    """Return the view of a pause."""
    return {**pause._asdict(), "since": moment(pause.since)}


def bounded(document: View, limit: int) -> View:
    """Return `document` with at most `limit` members in each list; `more`: whether any was cut."""
    more = document.get("more", False)

    def cut(value: Any) -> Any:
        nonlocal more
        if isinstance(value, dict):
            return {key: cut(member) for key, member in value.items()}
        if isinstance(value, list):
            more = more or len(value) > limit
            return [cut(member) for member in value[:limit]]
        return value

    return {**cut(document), "more": more}


def _list(info: Mapping[str, Any], key: str) -> list[Any]:
    value = info.get(key)
    return value if isinstance(value, list) else []


def _since(then: float, now: float) -> float:
    """Return seconds, never less than 0: the clock may have been set back."""
    return round(max(now - then, 0.0), 3)
