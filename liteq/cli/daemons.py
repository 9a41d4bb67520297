"""What commands that run until they are stopped have in common."""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..app import LiteQ
from ..exceptions import ConfigurationError
from ..worker.logging import LogPlan, log_plan, setup_logging

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def add_daemon_options(parser: ArgumentParser) -> None:
    """Where to log, and where to keep the pid."""
    add = parser.add_argument
    add("-l", "--loglevel", default="WARNING", type=_level, help="DEBUG, INFO, WARNING, ...")
    add("-f", "--logfile", help="where to log instead of standard error")
    add("--pidfile", help="file to keep the pid in while it runs")


def set_up_logging(app: LiteQ, args: Namespace) -> LogPlan:
    """Log as the options say; answer how. Raises ConfigurationError for a file that cannot be."""
    plan = log_plan(app.conf, args.loglevel, args.logfile and os.path.abspath(args.logfile))
    try:
        setup_logging(plan)
    except OSError as exc:
        raise ConfigurationError(f"--logfile {args.logfile}: {exc.strerror}") from exc
    return plan


def fill_standard_streams() -> None:
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
def pidfile(path: str | None) -> Iterator[None]:
    """Keep our pid in a file for as long as this lasts."""
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


def _level(text: str) -> str:
    name = text.upper()
    if name not in _LEVELS:
        raise ArgumentTypeError(f"{text!r}: choose one of {', '.join(_LEVELS)}")
    return name
