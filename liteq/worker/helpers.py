"""Helpers: processes that tasks have started by `multiprocessing` in the worker's own process.

At its exit Python waits for them, so a worker would not end before they do. (A child process of the
worker is killed with all that its tasks have started.)
"""

import sys
import time

_GRACE = 5.0  # seconds between SIGTERM and SIGKILL


def end_helpers() -> None:
    """Send SIGTERM to all helpers of this process, and SIGKILL to those that outlast it."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is None:  # nothing was started with it
        return
    helpers = multiprocessing.active_children()
    for helper in helpers:
        helper.terminate()
    end = time.monotonic() + _GRACE
    for helper in helpers:
        helper.join(max(0.0, end - time.monotonic()))
        if helper.exitcode is None:
            helper.kill()
            helper.join()
