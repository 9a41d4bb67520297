"""State that all processes of a store share, in mapped memory.

It stands in the lock file (`-gate`). At its start are six numbers:

* an estimate of the bytes written to the log since the last checkpoint. Only SQLite knows them,
  and it does not tell before 3.51; the size of the log says nothing, because the log is written
  over from its start again. A commit of one row writes some 8 KB, each further row some 200 bytes;
* the pid of the process that took the write lock last, to be named to those who waited in vain;
* whether a process waits for the write lock;
* how long an fsync takes here, in nanoseconds;
* when a worker last looked for dead ones, in nanoseconds of the monotonic clock;
* when a worker last looked for what dead ones have left in the tables, likewise.

The first two are changed only by the process that holds the write lock. Behind the numbers are the
locks of liveness.py, and then the tables of waits.py and idleworkers.py.

Nothing here is needed to be right: what is lost, or overwritten by another program, costs time.
"""

import errno
import mmap
import os
import time

from .logfiles import Identity, identity

_LOG_SIZE, _HOLDER, _WAKEUP, _SYNC_TIME, _RESCUE_LOOK, _TABLES_LOOK = range(6)
_MOST_LOG = 2**40  # bytes: more was written by another program
_CANNOT_ALLOCATE = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)  # this file system

# In bytes from the start of the file. Each part is a whole number of 8 bytes.
ANY_RESULT = 12_288  # behind the slots of liveness.py
ANY_RESULT_CELLS = 256
WORKERS = ANY_RESULT + 8 * ANY_RESULT_CELLS
WORKER_SLOTS = 512
QUEUES = WORKERS + 8 * WORKER_SLOTS
QUEUE_ROWS = 64
IDLE = QUEUES + 8 * QUEUE_ROWS
USED = IDLE + QUEUE_ROWS * WORKER_SLOTS
USED_PARTS = 64
WAITS = USED + USED_PARTS
WAIT_CELLS = 8_192
_SIZE = WAITS + 8 * WAIT_CELLS


class SharedState:
    """The numbers in the file at `path`, shared by all processes that open it."""

    def __init__(self, path: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
        fd = os.open(path, flags, 0o600)
        try:
            _allocate(fd)
            self.map: mmap.mmap = mmap.mmap(fd, _SIZE)
            found = os.fstat(fd)
        finally:
            os.close(fd)
        self._path = path
        self._identity: Identity = found.st_dev, found.st_ino
        self._cells = memoryview(self.map).cast("q")
        self.cells: memoryview[int] = memoryview(self.map).cast("Q")

    def is_replaced(self) -> bool:
        """Return whether the file at the path is another one by now, or none (1 us)."""
        return identity(self._path) != self._identity

    def set_holder(self, pid: int) -> None:
        """Note which process holds the write lock."""
        self._cells[_HOLDER] = pid

    def holder(self) -> int:
        """Return the pid of the process that took the write lock last; 0 if none did yet."""
        return self._cells[_HOLDER]

    def count_commit(self, rows: int) -> int:
        """Add a commit that changed `rows` rows; return the estimated bytes in the log."""
        size = min(max(self._cells[_LOG_SIZE], 0), _MOST_LOG) + 8_000 + 200 * rows
        self._cells[_LOG_SIZE] = size
        return size

    def log_size(self) -> int:
        """Return the estimated bytes in the log."""
        return self._cells[_LOG_SIZE]

    def set_log_size(self, size: int) -> None:
        """Set the estimate to `size` bytes, after a checkpoint."""
        self._cells[_LOG_SIZE] = size

    def request_wakeup(self) -> None:
        """Request a wake-up from the next process that releases the write lock."""
        self._cells[_WAKEUP] = 1

    def take_wakeup_request(self) -> bool:
        """Return whether a wake-up was requested since the last call."""
        if not self._cells[_WAKEUP]:
            return False
        self._cells[_WAKEUP] = 0
        return True

    def sync_time(self) -> float:
        """Return how long an fsync takes, in seconds; 0 if that was not measured yet."""
        return max(self._cells[_SYNC_TIME], 0) / 1e9

    def set_sync_time(self, seconds: float) -> None:
        """Set how long an fsync takes."""
        self._cells[_SYNC_TIME] = int(min(max(seconds, 0.0), 1e6) * 1e9)

    def begin_look(self, every: float) -> bool:
        """Return whether nobody looked for dead workers for `every` seconds; note that we do."""
        return self._begin(_RESCUE_LOOK, every)

    def begin_look_at_tables(self, every: float) -> bool:
        """Do the same for what dead workers and waiters have left in the tables."""
        return self._begin(_TABLES_LOOK, every)

    def _begin(self, cell: int, every: float) -> bool:
        # A time that is ahead was noted before a restart of the machine, or by another clock.
        now = time.monotonic_ns()
        if 0 <= now - self._cells[cell] < every * 1e9:
            return False
        self._cells[cell] = now
        return True

    def close(self) -> None:
        """Unmap the file."""
        self._cells.release()
        self.cells.release()
        self.map.close()


def _allocate(fd: int) -> None:
    """Give the file its size, and a place on the disk for all of it. Raises OSError.

    To write to a mapped hole kills the process when the disk is full. A file has holes if another
    program has made it, or a lock of liveness.py was written to one that is empty.
    """
    missing = _SIZE - os.lseek(fd, 0, os.SEEK_END)
    while missing > 0:
        missing -= os.write(fd, bytes(missing))  # less than that if the disk is nearly full
    if os.name == "posix" and hasattr(os, "posix_fallocate"):
        if os.fstat(fd).st_blocks * 512 >= _SIZE:
            return
        try:
            os.posix_fallocate(fd, 0, _SIZE)
        except OSError as exc:
            if exc.errno not in _CANNOT_ALLOCATE:
                raise
