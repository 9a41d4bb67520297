"""Functions that a pool calls in a child process: load the application, make its runner."""

import os
import sys
from typing import Any

from .. import signals
from ..app import LiteQ
from ..app.django import close_connections
from ..app.reference import find
from ..pools.base import KeepStep, Run, SendState
from ..pools.output import Outputs
from ..support.childprocess import importing_application
from .definitions import Definitions
from .logging import LogPlan, enable_loggers, setup_logging
from .output import catch_output
from .runner import Runner
from .stdout import flushing_stdout, log_stdout

_loaded: dict[str, LiteQ] = {}


def load_app(spec: dict[str, Any]) -> LiteQ:
    """Return the application of `spec`, with the settings that the worker was started with.

    Called once in the process that children are forked from, and again in each of them.
    """
    key = repr(spec["app"])
    if key not in _loaded:
        _find_modules_in(spec["app"]["folder"])
        with importing_application():
            app = _loaded[key] = find(spec["app"])
            if spec["config"]:
                app.config_from_object(spec["config"])
            app.conf.update(spec["settings"])
            app.set_current()
            app.load_tasks()
        setup_logging(LogPlan(*spec["logging"]))
        _get_ready(app)
        close_connections()
    return _loaded[key]


def adopt_app(app: LiteQ, spec: dict[str, Any]) -> None:
    """Let `load_app` return `app`, which the process that this one is forked from has loaded.

    It has set up logging as well.
    """
    _find_modules_in(spec["app"]["folder"])
    _loaded[repr(spec["app"])] = app
    app.set_current()
    _get_ready(app)


def _find_modules_in(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _get_ready(app: LiteQ) -> None:
    """Make a runner, in the fork server: children then share what it imports (5 MB each).

    It opens nothing, so no connection crosses a fork.
    """
    Runner(app, hostname="", describe=False, report=_discard)


def preload(spec: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Load the application; return the definitions of its tasks as plain values."""
    app = load_app(spec)
    return Definitions.of_tasks(app.tasks, app.conf).plain()


def make_runner(spec: dict[str, Any], report: SendState, keep: KeepStep, outputs: Outputs) -> Run:
    """Return the function that runs deliveries in this child process."""
    app = load_app(spec)
    plan = LogPlan(*spec["logging"])
    if plan.stdout_level is not None:
        if plan.logfile:
            _redirect_output(plan.logfile)
        log_stdout(plan.stdout_level)
    signals.worker_process_init.send(sender=None)
    enable_loggers()  # a receiver may have set up logging
    catch_output()  # last, in front of all that others have put there
    hostname, describe = spec["hostname"], spec["describe"]
    runner = Runner(
        app, hostname=hostname, describe=describe, report=report, keep=keep, outputs=outputs
    )
    return runner.run if plan.stdout_level is None else flushing_stdout(runner.run)


def _discard(id: str, state: str, meta: bytes, serializer: str) -> None:
    """Do nothing: no task runs in the fork server."""


def _redirect_output(logfile: str) -> None:
    """Send the output of programs that tasks start to the log file, as it is."""
    log = os.open(logfile, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
