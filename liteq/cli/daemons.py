"""The parts that `worker` and `beat`, which run until they are stopped, have in common."""

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
    """Add the options about the log and the pidfile."""
    add = parser.add_argument
    add("-l", "--loglevel", default="WARNING", type=_level, help="DEBUG, INFO, WARNING, ...")
    add("-f", "--logfile", help="where to log instead of standard error")
    add("--pidfile", help="file to keep the pid in while it runs")


def set_up_logging(app: LiteQ, args: Namespace) -> LogPlan:
    """Set up the log as the options say; return how.

    Raises ConfigurationError for a logfile that cannot be written.
    """
    plan = log_plan(app.conf, args.loglevel, args.logfile and os.path.abspath(args.logfile))
    try:
        setup_logging(plan)
    except OSError as exc:
        raise ConfigurationError(f"--logfile {args.logfile}: {exc.strerror}") from exc
    return plan


def fill_standard_streams() -> None:
    """Open the null device for those of the descriptors 0 to 2 that are closed.

    A daemon may be started like that. The store would then be opened as 2, and what a library
    prints on standard error would be written into it.
    """
    for wanted in range(3):
        with suppress(OSError):
            os.fstat(wanted)
            continue
        os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


@contextmanager
def pidfile(path: str | None) -> Iterator[None]:
    """Keep the pid in the file `path`, if given, for as long as the block runs.

    Raises ConfigurationError for a file that cannot be written.
    """
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
