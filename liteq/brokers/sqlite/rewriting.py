"""A file written over with what it holds, so that the disk gets all of it once more."""

import os

_CHUNK = 2**20  # bytes


def rewrite_in_place(path: str) -> None:
    """Write the bytes of the file at `path` over themselves, and wait for the disk.

    Only for a write-ahead log, under the write lock. SQLite keeps no locks on that file, so that
    closing it here drops none, as it would with the database itself.
    """
    fd = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        for offset in range(0, os.fstat(fd).st_size, _CHUNK):
            os.lseek(fd, offset, os.SEEK_SET)
            data = os.read(fd, _CHUNK)
            os.lseek(fd, offset, os.SEEK_SET)
            os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
