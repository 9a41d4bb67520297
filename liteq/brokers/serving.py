"""The queues and tasks that workers serve, by what they have stored about themselves."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..states import Phase
from ..support.printable import counted
from .base import QueueCount, WorkerInfo
from .stored import parse_info


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


def one_with(workers: Iterable[WorkerInfo], task: str, queue: str) -> WorkerInfo | None:
    """Return one of `workers` that has registered `task` and serves `queue`; None if there is
    none."""
    for worker in workers:
        if task in names_in(worker, "tasks") and queue in names_in(worker, "queues"):
            return worker
    return None
