"""The slot of a worker in which code runs, so that its log lines can say which one it was."""

import threading

_of_process: int | None = None
_of_thread = threading.local()


def enter_slot(number: int, *, whole_process: bool) -> None:
    """Note that this thread, or the `whole_process`, runs the tasks of the slot `number`."""
    global _of_process
    if whole_process:
        _of_process = number
    else:
        _of_thread.slot = number


def current_slot() -> int | None:
    """Return the number of the slot; None in code that is in none."""
    slot: int | None = getattr(_of_thread, "slot", _of_process)
    return slot
