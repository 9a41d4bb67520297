"""The options of a worker, for type checkers and editors."""

from collections.abc import Sequence
from typing import TypedDict

from .logging import LogPlan


class WorkerOptions(TypedDict, total=False):
    """The keywords of `app.Worker(...)`. They are those of `Worker`, which explains them."""

    concurrency: int | None
    queues: str | Sequence[str] | None
    hostname: str | None
    pool: str | None
    max_tasks_per_child: int | None
    max_memory_per_child: int | None
    beat: bool
    logging: LogPlan | None
