"""Rewriting a file in place, so that all of it is written to the disk once more."""

import os

_CHUNK = 2**20  # bytes


def rewrite_in_place(path: str) -> None:
    """Write the bytes of the file at `path` over themselves, and wait until they are on the disk.

    For a write-ahead log only, and under the write lock. SQLite keeps no locks on that file, so
    closing it here drops none, as closing the database file would.
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
