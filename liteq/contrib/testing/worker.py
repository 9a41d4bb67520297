"""Workers for tests: Celery's `celery.contrib.testing.worker`."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...app import LiteQ
from ...worker.queues import queues_but
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
    loglevel: str | int | None = None,
    logfile: str | None = None,
    queues: str | Sequence[str] | None = None,
    exclude_queues: str | Sequence[str] = (),
    **options: Any,
) -> Iterator[Worker]:
    """Run a worker of `app` in a thread of this process for the block.

    `perform_ping_check`: begin the block when a first task has run, in `ping_task_timeout` seconds.
    `shutdown_timeout`: seconds that running tasks have at the end of the block. `loglevel`: of the
    worker's loggers, in the block. `logfile`: where they write too. `exclude_queues`: those of
    `queues`, or of the settings, that are not served. `options` are those of `app.Worker`.

    Raises TimeoutError when that task, and RuntimeError when the worker, has not ended in time.
    """
    if exclude_queues:
        names = exclude_queues.split(",") if isinstance(exclude_queues, str) else exclude_queues
        queues = queues_but(app, queues, names)
    worker = app.Worker(concurrency=concurrency, pool=pool, queues=queues, **options)
    with _logging(loglevel, logfile), _running(worker, shutdown_timeout):
        if perform_ping_check:
            app.send_task(ping.name).get(timeout=ping_task_timeout)
        yield worker


@contextmanager
def _running(worker: Worker, shutdown_timeout: float) -> Iterator[None]:
    worker.start()
    try:
        yield
    finally:
        stopped = worker.stop(shutdown_timeout)
    if not stopped:
        raise RuntimeError(
            f"the worker of {worker.app!r} did not stop in {shutdown_timeout} seconds: a task "
            "still ran"
        )


@contextmanager
def _logging(level: str | int | None, file: str | None) -> Iterator[None]:
    """Let liteq's loggers write from `level` on, and to `file` too, for the block."""
    logger = logging.getLogger("liteq")
    before = logger.level
    handler = logging.FileHandler(file) if file else logging.NullHandler()
    if level is not None:
        logger.setLevel(level.upper() if isinstance(level, str) else level)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(before)
