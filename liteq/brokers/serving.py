"""The queues and tasks that workers serve, by what they have stored about themselves."""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any

from ..model.pause import LeftTasks, Pause, pause_of
from ..states import Phase
from ..support.printable import counted
from ..support.zones import title_of, wall_time
from .base import Broker, QueueCount, WorkerInfo
from .knowledge import known_tasks
from .stored import parse_info

UNKNOWN_FOR = 60.0
"""Seconds that a task waits for a worker that knows it, before tools say that there is none: it may
take so long to bring new code to all workers."""


def facts_of(worker: WorkerInfo) -> Mapping[str, Any]:
    """Return what a worker has stored about itself; empty before its first heartbeat."""
    return parse_info(worker.info)


def names_in(worker: WorkerInfo, key: str) -> list[str]:
    """Return the names that a worker has stored under `key`: "queues" or "tasks"."""
    names = facts_of(worker).get(key)
    return [str(name) for name in names] if isinstance(names, list) else []


def served_queues(workers: Iterable[WorkerInfo]) -> set[str]:
    """Return the queues that at least one of `workers` serves."""
    return {queue for worker in workers for queue in names_in(worker, "queues")}


def unserved_queues(counts: Iterable[QueueCount], workers: Iterable[WorkerInfo]) -> dict[str, int]:
    """Return the queues in which tasks wait that none of `workers` will run, with their number."""
    served = served_queues(workers)
    found: dict[str, int] = {}
    for queue, phase, tasks in counts:
        if phase in (Phase.READY, Phase.SCHEDULED) and tasks and queue not in served:
            found[queue] = found.get(queue, 0) + tasks
    return found


def no_worker_serves(queue: str) -> str:
    """Return the words for a queue that no worker which is up serves."""
    return f"no worker serves the queue {queue!r}"


def tasks_wait_unserved(queue: str, tasks: int) -> str:
    """Return the words for a queue of `unserved_queues`."""
    wait = "waits" if tasks == 1 else "wait"
    return f"{no_worker_serves(queue)}, in which {counted(tasks, 'task')} {wait}"


def takers(workers: Iterable[WorkerInfo], queue: str, task: str) -> list[WorkerInfo]:
    """Return those of `workers` that are handed tasks of that name in that queue."""
    found = []
    for worker in workers:
        if queue in names_in(worker, "queues"):
            known = known_tasks(worker.info)
            if known is None or task in known:
                found.append(worker)
    return found


def is_paused(pause: Pause, zone: tzinfo) -> str:
    """Return the words for a pause."""
    return f"{pause.what} is paused since {wall_time(pause.since, zone)} {title_of(zone)}"


def no_worker_knows(task: str) -> str:
    """Return the words for a task that no worker which is up, and serves its queue, knows."""
    return f"no live worker knows the task {task!r}"


def why_unclaimed(broker: Broker, queue: str, task: str, zone: tzinfo) -> str | None:
    """Return why no worker claims a ready task; None if one will when it has a free slot."""
    pause = pause_of(broker.pauses(), queue, task)
    if pause is not None:
        return is_paused(pause, zone)
    workers = broker.workers()
    if queue not in served_queues(workers):
        return no_worker_serves(queue)
    return None if takers(workers, queue, task) else no_worker_knows(task)


def unknown_everywhere(broker: Broker) -> list[LeftTasks]:
    """Return what workers have left a minute ago or longer, and no worker that is up will take."""
    workers, since = broker.workers(), broker.clock() - UNKNOWN_FOR
    left = [each for each in broker.left() if each.since <= since]
    return [each for each in left if not takers(workers, each.queue, each.task)]


def one_with(workers: Iterable[WorkerInfo], task: str, queue: str) -> WorkerInfo | None:
    """Return one of `workers` that has registered `task` and serves `queue`; None if there is
    none."""
    for worker in workers:
        if task in names_in(worker, "tasks") and queue in names_in(worker, "queues"):
            return worker
    return None
