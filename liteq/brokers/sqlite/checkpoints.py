"""When the log is moved into the file: a checkpoint, for which all writers wait.

It takes two fsyncs, and some 0.5 ms of work for each megabyte. So it is done seldom where an fsync
takes long; and as soon as nobody writes, by a worker, so that a burst finds the log empty.
"""

import sqlite3
import time

from .handle import BUSY_MS
from .sharedstate import SharedState

QUIET_AT = 2**19
"""Bytes of log from which on it is moved when nobody writes."""

_MEGABYTE = 2**20
_LEAST, _MOST = 2 * _MEGABYTE, 16 * _MEGABYTE  # bytes of log at which it is moved in any case
_FAST, _SLOW = 0.002, 0.010  # seconds of an fsync for which these are right
_WEIGHT = 0.3  # of the newest fsync in the mean


def threshold(sync_time: float) -> int:
    """Return the bytes of log at which to move it where an fsync takes `sync_time` seconds."""
    share = (sync_time - _FAST) / (_SLOW - _FAST)
    return int(_LEAST + min(max(share, 0.0), 1.0) * (_MOST - _LEAST))


def is_due(size: int, state: SharedState) -> bool:
    """Return whether a log of `size` bytes is to be moved now."""
    return size > _LEAST and size > threshold(state.sync_time())


def checkpoint(db: sqlite3.Connection, state: SharedState) -> bool:
    """Move the log into the file; return whether another connection prevented it.

    It notes how long an fsync took: of the time of the whole, what was no work is that of two.
    """
    began, worked = time.monotonic(), time.thread_time()
    # Without waiting for a reader: all other writers wait for us.
    db.execute("pragma busy_timeout = 0")
    try:
        ((busy, _, _),) = db.execute("pragma wal_checkpoint(restart)").fetchall()
    finally:
        db.execute(f"pragma busy_timeout = {BUSY_MS}")
    if not busy:
        waited = time.monotonic() - began - (time.thread_time() - worked)
        before = state.sync_time() or waited / 2
        state.set_sync_time(before + _WEIGHT * (waited / 2 - before))
    return bool(busy)
