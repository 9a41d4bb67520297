"""What a worker does about signals: the stop_signals from "finish what runs" to "end it now"."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from ..worker.supervisor import Supervisor

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
QUIT = 131


class StopSignals:
    """One worker's handlers, and the exit code that they lead to.

    A handler only sets a flag and wakes the loop: one that raised could cut a commit in two.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self.code = 0
        self._supervisor = supervisor
        self._interrupts = 0

    def term(self, number: int, frame: FrameType | None) -> None:
        """Finish what runs. Once more changes nothing: service managers send it again."""
        self._supervisor.stop()

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Finish what runs; the second time end it; the third time end without a word."""
        self._interrupts += 1
        if self._interrupts == 1:
            with suppress(OSError):  # nobody reads it any more
                os.write(2, b"liteq: finishing what runs; Ctrl-C again to end it now\n")
            self._supervisor.stop()
        elif self._interrupts == 2:
            self.code = INTERRUPTED
            self._supervisor.stop(force=True)
        else:
            os._exit(INTERRUPTED)

    def quit(self, number: int, frame: FrameType | None) -> None:
        """End what runs."""
        self.code = QUIT
        self._supervisor.stop(force=True)

    def hang_up(self, number: int, frame: FrameType | None) -> None:
        """Load new code."""
        self._supervisor.renew()


@contextmanager
def stop_signals(supervisor: Supervisor) -> Iterator[StopSignals]:
    """Signals go to `supervisor` for as long as this lasts."""
    steps = StopSignals(supervisor)
    handlers: dict[str, Any] = {
        "SIGTERM": steps.term,
        "SIGINT": steps.interrupt,
        "SIGBREAK": steps.term,
        "SIGQUIT": steps.quit,
        "SIGHUP": steps.hang_up,
    }
    if _of_a_terminal():
        handlers["SIGHUP"] = steps.term  # it was closed
    before: dict[int, Any] = {}
    for name, handler in handlers.items():
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, handler)
    try:
        yield steps
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _of_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
