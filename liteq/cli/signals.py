"""The signals of a worker: from "finish the running tasks" to "end now"."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ..support.handlers import Handler, handle
from ..worker.supervisor import Supervisor

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
QUIT = 131


class StopSignals:
    """The signal handlers of one worker, and the exit code that they lead to.

    A handler only sets a flag and wakes the loop. If it raised, it could interrupt a commit.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self.code: int = 0
        self._supervisor = supervisor
        self._interrupts = 0

    def term(self, number: int, frame: FrameType | None) -> None:
        """Finish the running tasks. A second signal changes nothing: service managers repeat it."""
        self._supervisor.stop(why=signal.Signals(number).name)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Finish the running tasks; the second time, end them; the third time, exit at once."""
        self._interrupts += 1
        if self._interrupts == 1:
            with suppress(OSError):  # standard error is closed
                os.write(2, b"liteq: finishing what runs; Ctrl-C again to end it now\n")
            self._supervisor.stop(why="SIGINT")
        elif self._interrupts == 2:
            self.code = INTERRUPTED
            self._supervisor.stop(force=True, why="SIGINT")
        else:
            os._exit(INTERRUPTED)

    def quit(self, number: int, frame: FrameType | None) -> None:
        """End the running tasks."""
        self.code = QUIT
        self._supervisor.stop(force=True, why="SIGQUIT")

    def hang_up(self, number: int, frame: FrameType | None) -> None:
        """Load the code of the application anew."""
        self._supervisor.renew()


@contextmanager
def stop_signals(supervisor: Supervisor) -> Iterator[StopSignals]:
    """Handle signals for `supervisor` for as long as the block runs."""
    stop = StopSignals(supervisor)
    handlers: dict[str, Handler] = {
        "SIGTERM": stop.term,
        "SIGINT": stop.interrupt,
        "SIGBREAK": stop.term,
        "SIGQUIT": stop.quit,
        "SIGHUP": stop.hang_up,
    }
    if _on_a_terminal():
        handlers["SIGHUP"] = stop.term  # the terminal was closed
    before = {name: handle(name, handler) for name, handler in handlers.items()}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            if handler is not None:
                signal.signal(getattr(signal, name), handler)


def _on_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
