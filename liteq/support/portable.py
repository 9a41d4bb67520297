"""The switch for doing without features that only POSIX has."""

import os
import sys


def portable() -> bool:
    """Return whether to use portable means only: on Windows, and with `LITEQ_PORTABLE=1` for tests.

    Then child processes are fresh interpreters, notifications are datagrams on the loopback
    address, and no file is locked with `flock`.
    """
    return sys.platform == "win32" or os.environ.get("LITEQ_PORTABLE") == "1"


def forks() -> bool:
    """Return whether child processes are forked: not on macOS either.

    Its frameworks, which NumPy and others load, may crash in a process that was forked.
    """
    return not portable() and sys.platform != "darwin"
