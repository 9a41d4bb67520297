"""What is known of a worker."""

from typing import NamedTuple


class WorkerInfo(NamedTuple):
    """A worker, as others see it."""

    id: int
    name: str
    pid: int
    host: str
    started: float
    beat: float  # when it last called `beat`
    stopped: float | None
    info: str  # a JSON object: queues, pool, concurrency, registered tasks, counts
