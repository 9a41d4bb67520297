"""Where a worker's lines go. Only liteq's own loggers are touched, never the root."""

import logging
import sys
from typing import NamedTuple

from .. import signals
from ..config import Config
from ..exceptions import ImproperlyConfigured
from .lines import LineFormatter


class LogPlan(NamedTuple):
    """What a worker and its child processes set up.

    With no `level` nothing is set up: an embedded worker speaks through its host's logging.
    """

    level: str | None = None
    logfile: str | None = None  # None: standard error
    format: str = ""
    task_format: str = ""  # of lines that a task writes
    printed: str | int | None = None  # the level of what tasks print; None: it is left alone


def log_plan(conf: Config, level: str, logfile: str | None) -> LogPlan:
    """What the settings say, for a worker of its own."""
    return LogPlan(
        level,
        logfile,
        conf.worker_log_format,
        conf.worker_task_log_format,
        conf.worker_redirect_stdouts_level if conf.worker_redirect_stdouts else None,
    )


def setup_logging(plan: LogPlan) -> None:
    """Send liteq's lines, and those of `get_task_logger`, where `plan` says.

    A receiver of the signal `setup_logging` does it instead, if there is one. Raises OSError for
    a file that cannot be written, ImproperlyConfigured for a format that is none.
    """
    level, logfile, format, task_format, _ = plan
    if level is None:
        return
    about = {"loglevel": level, "logfile": logfile, "format": format, "colorize": False}
    if signals.setup_logging.receivers:
        signals.setup_logging.send(sender=None, **about)
        return
    handler = logging.FileHandler(logfile) if logfile else logging.StreamHandler(sys.stderr)
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
