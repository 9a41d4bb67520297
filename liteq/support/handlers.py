"""Signal handlers of liteq's own processes, which those that a task forks do not inherit.

A worker decides itself what a TERM means. A process that a task forks has no such decision to make:
with the worker's handlers it would outlive `Process.terminate()`, and a `Pool` that ends that way
would wait for it for ever. (A program that a task starts has the default handlers in any case.)
"""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], object]

_ours: dict[int, Handler] = {}
_mask = threading.local()  # of the thread that forks, as it was before


def handle(name: str, handler: Handler) -> Any:
    """Handle the signal `name` in this process alone; return the handler before it.

    None on a system that has no such signal. Only the main thread may call this.
    """
    number = getattr(signal, name, None)
    if number is None:
        return None
    if not _ours and hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_reset)
    _ours[number] = handler
    return signal.signal(number, handler)


def _block() -> None:
    """Hold back signals until the new process has its handlers: before that they would be lost."""
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, _ours)


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)


def _reset() -> None:
    for number, handler in _ours.items():
        if signal.getsignal(number) is handler:  # else the task has installed one
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
    _unblock()
