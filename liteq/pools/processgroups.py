"""Child processes with all that they have started: each is a process group of its own."""

import os
import signal
import sys
from contextlib import suppress


def exit_reason(code: int | None) -> str:
    """Return why a child process has exited, by its exit code; None: that is not known."""
    if code is None:
        return "its process exited; how is not known, because its fork server had exited before"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        return f"its process was killed by signal {-code} ({name})"
    return f"its process exited with code {code}"


def kill_group(pid: int | None) -> None:
    """Kill a child process, and the processes that it has started; None: there is none."""
    signal_group(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def signal_group(pid: int | None, number: int) -> None:
    """Send the signal `number` to the same."""
    if pid is None:
        return
    with suppress(OSError):  # it has exited already
        if sys.platform == "win32":
            os.kill(pid, number)  # TerminateProcess, for any number
        else:
            os.killpg(pid, number)
