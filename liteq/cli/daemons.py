"""The parts that `worker` and `beat`, which run until they are stopped, have in common."""

import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..app import LiteQ
from ..exceptions import ConfigurationError
from ..support.standardstreams import fill_standard_streams
from ..worker.logging import LogPlan, log_plan, setup_logging

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL")


def add_daemon_options(parser: ArgumentParser) -> None:
    """Add the options about the log and the pidfile."""
    add = parser.add_argument
    add("-l", "--loglevel", default="WARNING", type=_level, help="DEBUG, INFO, WARNING, ...")
    add(
        "-f",
        "--logfile",
        help="where to log instead of standard error; %%n is the worker's name, %%h the host",
    )
    add("--pidfile", help="file to keep the pid in while it runs, likewise")


def name_files(args: Namespace, node: str) -> None:
    """Replace in --logfile and --pidfile what Celery replaces, for the worker `node`, `NAME@HOST`.

    %n is the name, %h the host, %d its domain, %p both name and host. %i and %I, which tell child
    processes apart, stand for the worker itself: 0 and nothing. All of them write to one log.
    """
    name, _, host = node.partition("@")
    words = {"n": name, "h": host, "d": host.partition(".")[2], "p": node, "i": "0", "I": ""}
    words["%"] = "%"

    def named(path: str | None) -> str | None:
        return path and re.sub("%([nhdpiI%])", lambda found: words[found[1]], path)

    args.logfile, args.pidfile = named(args.logfile), named(args.pidfile)


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


def open_standard_streams() -> None:
    """Make `print` and the descriptors 0 to 2 work in a daemon that was started without them."""
    fill_standard_streams()
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


@contextmanager
def pidfile(path: str | None) -> Iterator[None]:
    """Keep the pid in the file `path`, if given, for as long as the block runs.

    Raises ConfigurationError for a file that cannot be written, or that names another process
    which runs.
    """
    if not path:
        yield
        return
    try:
        _write_pid(path)
    except OSError as exc:
        raise ConfigurationError(f"--pidfile {path}: {exc.strerror}") from exc
    try:
        yield
    finally:
        with suppress(OSError):
            if _pid_in(path) == os.getpid():  # not that of one started by hand meanwhile
                os.unlink(path)


def _write_pid(path: str) -> None:
    pid = _pid_in(path)
    if pid is not None and pid != os.getpid() and _runs(pid):
        raise ConfigurationError(
            f"--pidfile {path}: process {pid} runs: stop it first, or remove the file if that is "
            "another program"
        )
    # What a process that was killed has left; it is empty if that was in the midst of writing.
    with suppress(FileNotFoundError):
        os.unlink(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(f"{os.getpid()}\n")


def _pid_in(path: str) -> int | None:
    """Return the pid in the file; None when it does not exist or holds none."""
    try:
        with open(path) as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):
        return None


def _runs(pid: int) -> bool:
    if sys.platform == "win32":
        return False  # not known: there, `os.kill` would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it belongs to another user
    return True


def _level(text: str) -> str:
    name = text.upper()
    if name not in _LEVELS:
        raise ArgumentTypeError(f"{text!r}: choose one of {', '.join(_LEVELS)}")
    return name
