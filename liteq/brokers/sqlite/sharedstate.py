"""State that all processes share about the log and the write lock, in mapped memory.

It is three numbers in the lock file (`-gate`):

* an estimate of the bytes written to the log since the last checkpoint. Only SQLite knows them,
  and it does not tell before 3.51; the size of the log says nothing, because the log is written
  over from its start again. A commit of one row writes some 8 KB, each further row some 200 bytes;
* the pid of the process that took the write lock last, to be named to those who waited in vain;
* whether a process waits for the write lock.

The first two are changed only by the process that holds the write lock.
"""

import mmap
import os

_SIZE = 24  # bytes: three numbers
_LOG_SIZE, _HOLDER, _WAKEUP = 0, 1, 2


class SharedState:
    """The numbers in the file at `path`, shared by all processes that open it."""

    def __init__(self, path: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
        fd = os.open(path, flags, 0o600)
        try:
            # Written and not only sized: writing to a mapped hole kills the process when the disk
            # is full.
            os.write(fd, bytes(max(_SIZE - os.lseek(fd, 0, os.SEEK_END), 0)))
            self._map = mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)
        self._cells = memoryview(self._map).cast("q")

    def set_holder(self, pid: int) -> None:
        """Note which process holds the write lock."""
        self._cells[_HOLDER] = pid

    def holder(self) -> int:
        """Return the pid of the process that took the write lock last; 0 if none did yet."""
        return self._cells[_HOLDER]

    def count_commit(self, rows: int) -> int:
        """Add a commit that changed `rows` rows; return the estimated bytes in the log."""
        size = self._cells[_LOG_SIZE] + 8_000 + 200 * rows
        self._cells[_LOG_SIZE] = size
        return size

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

    def close(self) -> None:
        """Unmap the file."""
        self._cells.release()
        self._map.close()
