"""How much has been written to the log since it was last folded into the file.

Nobody but SQLite knows, and it does not tell before 3.51; the size of the log says nothing,
because it is written over from its start again. So all processes keep one count of their own, in
the gate's file, which is touched only by whoever is inside the gate. It is an estimate: a commit
of one row writes some 8 KB, every further row some 200 bytes.
"""

import mmap
import os
import struct

_COUNT = struct.Struct("=q")


class Tally:
    """The count in the file at `path`, shared by all who open it."""

    def __init__(self, path: str) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if os.fstat(fd).st_size < _COUNT.size:
                os.truncate(fd, _COUNT.size)
            self._map = mmap.mmap(fd, _COUNT.size)
        finally:
            os.close(fd)

    def add(self, rows: int) -> int:
        """Count a commit that changed `rows` rows; answer the bytes so far."""
        count = int(_COUNT.unpack_from(self._map)[0]) + 8_000 + 200 * rows
        _COUNT.pack_into(self._map, 0, count)
        return count

    def set(self, count: int) -> None:
        """Begin again at `count` bytes."""
        _COUNT.pack_into(self._map, 0, count)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
