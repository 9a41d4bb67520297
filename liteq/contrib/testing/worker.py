"""Workers for tests: Celery's `celery.contrib.testing.worker`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...app import LiteQ
from ...worker.worker import Worker
from .tasks import ping


@contextmanager
def start_worker(
    app: LiteQ,
    concurrency: int = 1,
    pool: str = "solo",
    perform_ping_check: bool = True,
    ping_task_timeout: float = 10.0,
    shutdown_timeout: float = 10.0,
    **options: Any,
) -> Iterator[Worker]:
    """Run a worker of `app` in a thread of this process for the block.

    `perform_ping_check`: begin the block when a first task has run, in `ping_task_timeout` seconds.
    `shutdown_timeout`: seconds that running tasks have at the end of the block. `options` are those
    of `app.Worker`. Raises TimeoutError when that task, and RuntimeError when the worker, has not
    ended in time.
    """
    worker = app.Worker(concurrency=concurrency, pool=pool, **options)
    worker.start()
    try:
        if perform_ping_check:
            app.send_task(ping.name).get(timeout=ping_task_timeout)
        yield worker
    finally:
        stopped = worker.stop(shutdown_timeout)
    if not stopped:
        raise RuntimeError(
            f"the worker of {app!r} did not stop in {shutdown_timeout} seconds: a task still ran"
        )
