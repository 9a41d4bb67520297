"""Whether to do without what only POSIX has."""

import os
import sys


def portable() -> bool:
    """True on Windows, and with `LITEQ_PORTABLE=1`, by which the other ways are tried elsewhere.

    Then child processes are fresh interpreters, notifications are datagrams on the loopback
    address, and no file is locked with `flock`.
    """
    return sys.platform == "win32" or os.environ.get("LITEQ_PORTABLE") == "1"
