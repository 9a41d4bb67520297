"""Logging of a worker. Only liteq's own loggers are set up, never the root logger."""

import logging
import os
import sys
from io import TextIOWrapper
from typing import Any, NamedTuple

from .. import signals
from ..config import Config
from ..exceptions import ImproperlyConfigured, SoftTimeLimitExceeded
from ..execution.context import current_run
from ..support.printable import indented
from ..support.slots import current_slot


class LineFormatter(logging.Formatter):
    """A formatter with one format for tasks and one for all else.

    `task_format` is for lines that are written while a task runs, by any logger; it knows
    `task_name` and `task_id` as well. `processName` is the slot in which a task runs or has run.
    """

    def __init__(self, format: str, task_format: str) -> None:
        super().__init__(format)
        self._of_task = logging.Formatter(task_format)

    def usesTime(self) -> bool:  # noqa: N802 - logging's
        """Return whether one of the formats has `asctime`."""
        return super().usesTime() or self._of_task.usesTime()

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """Return the line without a traceback."""
        run = getattr(record, "liteq_run", None) or current_run()
        slot = getattr(record, "liteq_slot", None)
        slot = current_slot() if slot is None else slot
        if slot is not None:
            record.processName = f"slot-{slot}"
        record.task_name, record.task_id = (run.task, run.id) if run else ("???", "???")
        return self._of_task.formatMessage(record) if run else super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's
        """Return the traceback, indented so that it cannot pass for lines of the log."""
        return indented(super().formatException(ei))


class LogPlan(NamedTuple):
    """The logging that a worker and its child processes set up.

    With no `level` nothing is set up: an embedded worker uses the logging of its host program.
    """

    level: str | None = None
    logfile: str | None = None  # None: standard error
    format: str = ""
    task_format: str = ""  # of lines that a task writes
    stdout_level: str | int | None = None  # of what tasks print; None: it is not logged


def log_plan(conf: Config, level: str, logfile: str | None) -> LogPlan:
    """Return the logging of a worker that is a program of its own, by the settings."""
    return LogPlan(
        level,
        logfile,
        conf.worker_log_format,
        conf.worker_task_log_format,
        conf.worker_redirect_stdouts_level if conf.worker_redirect_stdouts else None,
    )


class _Stream(logging.StreamHandler[Any]):
    """A handler that writes to a stream."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's
        """Print what is wrong with `record`; let a time limit that has struck here end the task."""
        if isinstance(sys.exc_info()[1], SoftTimeLimitExceeded):
            raise  # noqa: PLE0704 - logging calls this while it handles the error
        super().handleError(record)


class _LogFile(_Stream, logging.FileHandler):
    """A log file that only its user may read, whatever the umask: tasks may log secrets."""

    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(
            open(self.baseFilename, "ab", opener=_open_private), "utf-8", "backslashreplace"
        )


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def setup_logging(plan: LogPlan) -> None:
    """Set up the loggers of liteq, and those of `get_task_logger`, as `plan` says.

    A receiver of the signal `setup_logging` does it instead, if there is one. Raises OSError for
    a file that cannot be written, ImproperlyConfigured for an invalid format.
    """
    if plan.level is not None:
        _set_up(plan, plan.level)
    enable_loggers()  # also those that a receiver has disabled


def enable_loggers() -> None:
    """Let liteq's own loggers write again.

    `dictConfig` and `fileConfig` disable all loggers that exist already, unless told otherwise:
    a program that calls them when it is imported would never see what became of its tasks.
    """
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and f"{name}.".startswith("liteq."):
            logger.disabled = False


def _set_up(plan: LogPlan, level: str) -> None:
    _, logfile, format, task_format, _ = plan
    about = {"loglevel": level, "logfile": logfile, "format": format, "colorize": False}
    if signals.setup_logging.receivers:
        signals.setup_logging.send(sender=None, **about)
        return
    handler = _LogFile(logfile) if logfile else _Stream(sys.stderr)
    handler.setFormatter(_formatter(format, task_format))
    logger = logging.getLogger("liteq")
    for old in logger.handlers[:]:
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    signals.after_setup_logger.send(sender=None, logger=logger, **about)
    about["format"] = task_format
    of_tasks = logging.getLogger("liteq.task")
    signals.after_setup_task_logger.send(sender=None, logger=of_tasks, **about)


def _formatter(format: str, task_format: str) -> LineFormatter:
    try:
        return LineFormatter(format, task_format)
    except ValueError as exc:
        raise ImproperlyConfigured(
            f"worker_log_format or worker_task_log_format is no format of a log line: {exc}"
        ) from None
