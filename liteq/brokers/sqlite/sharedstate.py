"""What all processes share about the log and the gate, in a few bytes of mapped memory.

How much has been written to the log since it was last folded into the file: nobody but SQLite
knows, and it does not tell before 3.51; the size of the log says nothing, because it is written
over from its start again. So all processes keep one count of their own. It is an estimate: a
commit of one row writes some 8 KB, every further row some 200 bytes.

And who is inside the gate, to be named to those who waited in vain; and whether somebody waits.

All are in the gate's file. The first two are touched only by whoever is inside the gate.
"""

import mmap
import os

_SIZE = 24  # bytes: three numbers
_LOG_SIZE, _HOLDER, _WAKEUP = 0, 1, 2


class SharedState:
    """The numbers in the file at `path`, shared by all who open it."""

    def __init__(self, path: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
        fd = os.open(path, flags, 0o600)
        try:
            # Real bytes and not a hole: to write to a mapped hole of a full disk is deadly.
            os.write(fd, bytes(max(_SIZE - os.lseek(fd, 0, os.SEEK_END), 0)))
            self._map = mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)
        self._cells = memoryview(self._map).cast("q")

    def set_holder(self, pid: int) -> None:
        """Note who is inside the gate."""
        self._cells[_HOLDER] = pid

    def holder(self) -> int:
        """The pid of whoever came in last; 0: nobody ever did."""
        return self._cells[_HOLDER]

    def count_commit(self, rows: int) -> int:
        """Count a commit that changed `rows` rows; answer the bytes so far."""
        count = self._cells[_LOG_SIZE] + 8_000 + 200 * rows
        self._cells[_LOG_SIZE] = count
        return count

    def set_log_size(self, count: int) -> None:
        """Begin again at `count` bytes."""
        self._cells[_LOG_SIZE] = count

    def request_wakeup(self) -> None:
        """Ask whoever leaves the gate next to call."""
        self._cells[_WAKEUP] = 1

    def take_wakeup_request(self) -> bool:
        """Whether somebody asked for that since this was asked last."""
        if not self._cells[_WAKEUP]:
            return False
        self._cells[_WAKEUP] = 0
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._cells.release()
        self._map.close()
