"""What the pool calls in a child process: find the application, make a runner for it."""

import os
import sys
from typing import Any

from .. import signals
from ..app import LiteQ
from ..app.reference import find
from ..pools.base import Run, SendState
from .logs import LogPlan, setup_logging
from .runner import Runner
from .stdout import ending_lines, print_to_the_log

_loaded: dict[str, LiteQ] = {}


def load_app(spec: dict[str, Any]) -> LiteQ:
    """The application of `spec`, with the settings that the worker was started with.

    Called once in the process that children are forked from, and again in each of them.
    """
    key = repr(spec["app"])
    if key not in _loaded:
        folder = spec["app"]["folder"]
        if folder not in sys.path:
            sys.path.insert(0, folder)
        app = _loaded[key] = find(spec["app"])
        app.conf.update(spec["settings"])
        app.set_current()
        app.load_tasks()
        setup_logging(LogPlan(*spec["logging"]))
        # Here, where children are forked from: what it imports they then share (5 MB each). It
        # opens nothing, so no connection crosses a fork.
        Runner(app, hostname="", describe=False, report=_nobody)
    return _loaded[key]


def make_runner(spec: dict[str, Any], report: SendState) -> Run:
    """The function that runs deliveries in this child."""
    app = load_app(spec)
    plan = LogPlan(*spec["logging"])
    if plan.printed is not None:
        if plan.logfile:
            _redirect_output(plan.logfile)
        print_to_the_log(plan.printed)
    signals.worker_process_init.send(sender=None)
    runner = Runner(app, hostname=spec["hostname"], describe=spec["describe"], report=report)
    return runner.run if plan.printed is None else ending_lines(runner.run)


def _nobody(id: str, state: str, meta: bytes, serializer: str) -> None:
    """Nothing runs yet, so nothing is told."""


def _redirect_output(logfile: str) -> None:
    """What programs that a task starts print goes where the log goes, as it is."""
    log = os.open(logfile, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
