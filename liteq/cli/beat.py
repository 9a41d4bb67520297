"""`liteq beat`: fire periodic tasks until stopped."""

import logging
import os
import signal
import socket
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..app import LiteQ
from ..beat.service import Beat
from ..exceptions import ConfigurationError
from ..support.urls import safe_url
from ..version import __version__
from .apps import app_of
from .daemons import add_daemon_options, name_files, open_standard_streams, pidfile, set_up_logging
from .detaching import add_detaching_options, detach, starting
from .options import seconds

logger: logging.Logger = logging.getLogger("liteq.beat")


def configure(parser: ArgumentParser) -> None:
    """Add the options, with Celery's names."""
    add = parser.add_argument
    add_daemon_options(parser)
    add_detaching_options(parser)
    add(
        "--max-interval",
        type=seconds,
        metavar="SECONDS",
        help="look at the store at least so often",
    )


def run(args: Namespace) -> int:
    """Run until stopped; return the exit code."""
    open_standard_streams()
    code = detach(args)
    if code is not None:
        return code
    if not args.app:
        raise ConfigurationError("beat needs -A: the module that holds the application")
    app = app_of(args)
    name_files(args, f"beat@{socket.gethostname()}")
    set_up_logging(app, args)
    beat = Beat(app, args.max_interval)
    with pidfile(args.pidfile), _signals_to(beat):
        with suppress(OSError):  # standard error is closed: run all the same
            if not args.quiet:
                print(_banner(app), file=sys.stderr, flush=True)
        with starting(args) as started:
            started()
        logger.info("beat: Starting...")
        beat.run()
    return 0


@contextmanager
def _signals_to(beat: Beat) -> Iterator[None]:
    """Stop `beat` at the signals that end a program, inside the block."""

    def stop(*_: Any) -> None:
        beat.stop()

    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGINT", "SIGBREAK")]
    before = {number: signal.signal(number, stop) for number in numbers if number is not None}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _banner(app: LiteQ) -> str:
    return (
        f"\n liteq {__version__}  beat  pid {os.getpid()}\n\n"
        f" app:         {app.main or app!r}\n"
        f" broker:      {safe_url(app.broker.url)}\n"
    )
