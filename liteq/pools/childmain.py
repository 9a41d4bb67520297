"""The program of a child process: set-up, one of the two kinds of children, the end."""

import os
import socket
import sys
import traceback

from ..support.coroutines import close_loop
from ..support.handlers import handle
from ..support.plugins import load
from ..support.slots import enter_slot
from .base import Limits
from .child import Child
from .protocol import Setup, Teller
from .scoreboard import Scoreboard, open_scoreboard


def import_loop(setup: Setup) -> None:
    """Import what only children with an event loop need, so that forks of this process share it."""
    if "loop_slots" in setup:
        from . import loopchild  # noqa: F401 - 50 ms, which other children do not pay


def run_child(stream: socket.socket, scoreboard: Scoreboard, setup: Setup, slot: int) -> None:
    """Run the child of `slot` in this process, from its setup to its end."""
    _ignore_signals()
    child = _make_child(stream, scoreboard, setup, slot)
    try:
        run = load(setup["make"])(setup["spec"], *child.means())
        if setup["log_levels"] is not None:
            from .records import send_records  # a worker that is a program of its own has no use

            send_records(child.send_record, setup["log_levels"])
    except BaseException:  # noqa: BLE001 - importing user code can raise anything
        child.send_start_failure(traceback.format_exc())
        return
    try:
        child.serve(run)
    except (BrokenPipeError, ConnectionError):
        os._exit(1)  # the supervisor exited first
    finally:
        close_loop()
        child.close()
        sys.stdout.flush()
        sys.stderr.flush()


def _make_child(stream: socket.socket, scoreboard: Scoreboard, setup: Setup, slot: int) -> Teller:
    limits = Limits(*setup["limits"])
    if "loop_slots" in setup:
        from .loopchild import LoopChild

        return LoopChild(stream, scoreboard, setup["loop_slots"], limits)
    enter_slot(slot, whole_process=True)
    return Child(stream, scoreboard, slot, limits)


def main(stream: socket.socket, setup: Setup) -> None:
    """Run a child that is a fresh interpreter."""
    stream.setblocking(True)
    try:
        scoreboard = open_scoreboard(setup["scoreboard"])
    except FileNotFoundError:
        return  # the pool was closed before this child could start
    run_child(stream, scoreboard, setup, setup["slot"])


def _ignore_signals() -> None:
    """Ignore signals to the whole group: the supervisor decides what becomes of a task.

    By handlers that do nothing, not SIG_IGN, which programs started by tasks would inherit.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK"):
        handle(name, _ignore)


def _ignore(number: int, frame: object) -> None:
    pass
