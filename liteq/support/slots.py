"""The slot of a worker in which code runs, so that its log lines can say which one it was."""

import threading
from contextvars import ContextVar

_of_process: int | None = None
_of_thread = threading.local()
_of_coroutine: ContextVar[int | None] = ContextVar("liteq_slot", default=None)


def enter_slot(number: int, *, whole_process: bool) -> None:
    """Note that this thread, or the `whole_process`, runs the tasks of the slot `number`."""
    global _of_process
    if whole_process:
        _of_process = number
    else:
        _of_thread.slot = number


def enter_slot_of_coroutine(number: int) -> None:
    """Note that the coroutine that runs here, and all that it starts, is in the slot `number`."""
    _of_coroutine.set(number)


def current_slot() -> int | None:
    """Return the number of the slot; None in code that is in none."""
    slot: int | None = getattr(_of_thread, "slot", _of_process)
    inner = _of_coroutine.get()
    return slot if inner is None else inner
