"""`liteq worker`: run tasks until stopped."""

import gc
import logging
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from contextlib import suppress

from ..app import LiteQ
from ..exceptions import ConfigurationError
from ..support.printable import counted
from ..support.urls import safe_url
from ..version import __version__
from ..worker.helpers import end_helpers
from ..worker.logging import LogPlan
from ..worker.options import Program
from ..worker.queues import queues_but
from ..worker.stdout import logging_stdout
from ..worker.supervisor import Supervisor
from ..worker.worker import Worker, node_name
from . import init
from .apps import app_of
from .daemons import add_daemon_options, name_files, open_standard_streams, pidfile, set_up_logging
from .detaching import add_detaching_options, detach, starting
from .options import count, names, seconds
from .signals import stop_signals

logger: logging.Logger = logging.getLogger("liteq.worker")


def configure(parser: ArgumentParser) -> None:
    """Add the options, with Celery's names."""
    add = parser.add_argument
    add(
        "-c",
        "--concurrency",
        type=count,
        help="slots, of asyncio in each process (default: the CPUs that may be used; asyncio: 100)",
    )
    add("--autoscale", type=_autoscale, metavar="MAX,MIN", help="slots, as the load asks for")
    add("-Q", "--queues", help="queues to work on, comma-separated")
    add("-X", "--exclude-queues", type=names, default=[], help="all of the app's but these")
    add("-I", "--include", type=names, default=[], metavar="MODULES", help="more modules to import")
    add("--purge", "--discard", action="store_true", help="drop what waits, before it starts")
    add(
        "-n",
        "--hostname",
        help="name of the worker; %%h is the host, %%n and %%d its parts, %%p the pid",
    )
    add("-P", "--pool", help="processes (default), threads, asyncio or solo")
    add("--processes", type=count, help="of the pool asyncio, each with an event loop (default: 1)")
    add_daemon_options(parser)
    add_detaching_options(parser)
    add("--max-tasks-per-child", type=int, help="tasks after which a child is replaced")
    add("--max-memory-per-child", type=int, metavar="KIB", help="resident size, likewise")
    add("--time-limit", type=seconds, metavar="SECONDS", help="a task is killed after it")
    add("--soft-time-limit", type=seconds, metavar="SECONDS", help="and is told so after it")
    add("-B", "--beat", action="store_true", help="fire periodic tasks: the default")
    add("--no-beat", action="store_true", help="leave periodic tasks to other workers")


def run(args: Namespace) -> int:
    """Run until stopped; return the exit code."""
    code = _begin(args)
    if code is not None:
        return code
    if not args.app:
        raise ConfigurationError("worker needs -A: the module that holds the application")
    app = app_of(args)
    program = _configure(app, args)
    node = node_name(args.hostname)
    name_files(args, node)
    plan = set_up_logging(app, args)
    worker = _worker(app, args, node, plan)
    if args.purge:
        logger.warning("dropped %s", counted(app.broker.purge(worker.queues), "task"))
    supervisor = worker.prepare(program)
    with pidfile(args.pidfile), stop_signals(supervisor) as stop:
        _start(supervisor, args)
        if worker.has_children:
            # Thousands of objects are made here per second, and none is part of a cycle: searching
            # for cycles after every 700 took 5 % of the time. (Other pools run tasks in this
            # process.) Not before, as a fork server and its children inherit it.
            gc.set_threshold(20_000)
        with suppress(OSError):  # standard error is closed: run all the same
            if not args.quiet:
                print(_banner(app, worker), file=sys.stderr, flush=True)
        logger.info("%s ready.", worker.hostname)
        with logging_stdout(None if worker.has_children else plan.stdout_level):
            try:
                worker.serve(supervisor)
            finally:
                if not worker.has_children:
                    end_helpers()
    return stop.code


def _begin(args: Namespace) -> int | None:
    """Prepare this process; return the exit code if another one works in its place."""
    open_standard_streams()
    code = init.split() if init.needed() else None
    return detach(args) if code is None else code


def _start(supervisor: Supervisor, args: Namespace) -> None:
    with starting(args) as started:
        supervisor.start()
        started()


def _worker(app: LiteQ, args: Namespace, node: str, plan: LogPlan) -> Worker:
    """Return the worker `node` that the options describe."""
    return Worker(
        app,
        concurrency=args.concurrency,
        queues=_queues(app, args),
        hostname=node,
        pool=args.pool,
        processes=args.processes,
        max_tasks_per_child=args.max_tasks_per_child,
        max_memory_per_child=args.max_memory_per_child,
        autoscale=args.autoscale,
        beat=not args.no_beat,
        logging=plan,
    )


def _configure(app: LiteQ, args: Namespace) -> Program:
    """Change the settings that options stand for; return what child processes need to know."""
    # Child processes import it as well, as it may hold tasks or receivers for another module's app.
    app.conf.include = (*app.conf.include, args.app.partition(":")[0], *args.include)
    limits = {"task_time_limit": args.time_limit, "task_soft_time_limit": args.soft_time_limit}
    settings = {name: limit for name, limit in limits.items() if limit is not None}
    app.conf.update(settings)
    return Program(args.as_program, args.config, settings)


def _queues(app: LiteQ, args: Namespace) -> Sequence[str] | None:
    """Return the queues to serve; None for those of the settings."""
    if args.exclude_queues:
        return queues_but(app, args.queues, args.exclude_queues)
    queues: str | None = args.queues
    return queues


def _autoscale(text: str) -> tuple[int, int]:
    """Parse Celery's MAX,MIN; without MIN, and for 0, it is 1."""
    most, _, least = text.partition(",")
    bounds = count(most), 1 if least.strip() in ("", "0") else count(least)
    if bounds[0] < bounds[1]:
        raise ArgumentTypeError(f"{text!r}: the most slots come first, such as 10,2")
    return bounds


def _banner(app: LiteQ, worker: Worker) -> str:
    tasks = "\n".join(f"  . {name}" for name in app.tasks.names()) or "  (none)"
    return (
        f"\n liteq {__version__}  {worker.hostname}  pid {os.getpid()}\n\n"
        f" app:         {app.main or app!r}\n"
        f" broker:      {safe_url(app.broker.url)}\n"
        f" queues:      {', '.join(worker.queues)}\n"
        f" concurrency: {worker.size}\n\n"
        f" [tasks]\n{tasks}\n"
    )
