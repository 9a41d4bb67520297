"""`liteq worker`: run tasks until stopped."""

import logging
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..app import LiteQ
from ..exceptions import ConfigurationError
from ..urls import safe_url
from ..version import __version__
from ..worker.logs import log_plan, setup_logging
from ..worker.printed import printing_to_the_log
from ..worker.worker import Worker
from . import init
from .apps import app_of
from .signals import ladder

logger = logging.getLogger("liteq.worker")

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def configure(parser: ArgumentParser) -> None:
    """The options, with Celery's names."""
    add = parser.add_argument
    add("-c", "--concurrency", type=int, help="slots (default: the CPUs that may be used)")
    add("-Q", "--queues", help="queues to work on, comma-separated")
    add("-n", "--hostname", help="name of the worker; %%h is the host, %%p the pid")
    add("-P", "--pool", help="processes (default), threads or solo")
    add("-l", "--loglevel", default="WARNING", type=_level, help="DEBUG, INFO, WARNING, ...")
    add("-f", "--logfile", help="where to log instead of standard error")
    add("--pidfile", help="file to keep the pid in while the worker runs")
    add("--max-tasks-per-child", type=int, help="tasks after which a child is replaced")
    add("--max-memory-per-child", type=int, metavar="KIB", help="resident size, likewise")
    add("-B", "--beat", action="store_true", help="accepted: every worker has the scheduler")


def run(args: Namespace) -> int:
    """Start, work, stop; answer the exit code."""
    _fill_standard_streams()
    if init.needed():
        code = init.split()
        if code is not None:
            return code
    if not args.app:
        raise ConfigurationError("worker needs -A: the module that holds the application")
    app = app_of(args)
    # Child processes import it as well, should it hold tasks or receivers of another's application.
    app.conf.include = (*app.conf.include, args.app.partition(":")[0])
    plan = log_plan(app.conf, args.loglevel, args.logfile and os.path.abspath(args.logfile))
    try:
        setup_logging(plan)
    except OSError as exc:
        raise ConfigurationError(f"--logfile {args.logfile}: {exc.strerror}") from exc
    worker = Worker(
        app,
        concurrency=args.concurrency,
        queues=args.queues,
        hostname=args.hostname,
        pool=args.pool,
        max_tasks_per_child=args.max_tasks_per_child,
        max_memory_per_child=args.max_memory_per_child,
        logging=plan,
    )
    supervisor = worker.prepare()
    with _pidfile(args.pidfile), ladder(supervisor) as steps:
        supervisor.start()
        with suppress(OSError):  # a worker whose output nobody reads works all the same
            print(_banner(app, worker), file=sys.stderr, flush=True)
        logger.info("%s ready.", worker.hostname)
        # The other pools run tasks in this very process.
        with printing_to_the_log(None if worker.has_children else plan.printed):
            supervisor.serve()
    return steps.code


def _fill_standard_streams() -> None:
    """A daemon may come with 0 to 2 closed: then a store would be opened as 2, and the next line
    of a library that complains on standard error would be written into it."""
    for wanted in range(3):
        with suppress(OSError):
            os.fstat(wanted)
            continue
        os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


@contextmanager
def _pidfile(path: str | None) -> Iterator[None]:
    if not path:
        yield
        return
    file = Path(path)
    try:
        file.write_text(f"{os.getpid()}\n")
    except OSError as exc:
        raise ConfigurationError(f"--pidfile {path}: {exc.strerror}") from exc
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink()


def _banner(app: LiteQ, worker: Worker) -> str:
    tasks = "\n".join(f"  . {name}" for name in app.tasks.names()) or "  (none)"
    return (
        f"\n liteq {__version__}  {worker.hostname}  pid {os.getpid()}\n\n"
        f" app:         {app.main or app!r}\n"
        f" broker:      {safe_url(app.broker.url)}\n"
        f" queues:      {', '.join(worker.queues)}\n"
        f" concurrency: {worker.concurrency} ({worker.pool_name})\n\n"
        f" [tasks]\n{tasks}\n"
    )


def _level(text: str) -> str:
    name = text.upper()
    if name not in _LEVELS:
        raise ArgumentTypeError(f"{text!r}: choose one of {', '.join(_LEVELS)}")
    return name
