"""Locks by which a worker shows that it lives to those who cannot see its process.

Such are the processes of another pid namespace: of another container that shares the file. A worker
locks a slot of the lock file (`-gate`) for as long as it lives. The kernel releases it when the
process ends, however that comes, and not while it is stopped.

The lock belongs to the opening of the file (OFD). Other POSIX locks belong to the process, which
would lose them by closing any descriptor of that file. Only Linux has such locks. Elsewhere, and
with `LITEQ_PORTABLE=1`, no slot is locked, and a lease is all there is, see rescue.py.

In its slot a worker writes who it is. A slot that is free is a proof only about the worker that it
names: not about one that had an earlier lock file, or has no slot, because the disk was full.
"""

import os
import struct
import sys
from contextlib import suppress
from threading import Lock
from zlib import crc32

from ...support.portable import portable
from . import forks
from .location import lock_file

_FIRST = 4096  # where the slots begin, in bytes: far behind the state that all processes share
_SLOTS = 1024  # of more workers that live at once, some have none
_SLOT = struct.Struct("<II")  # the number of the worker, and the checksum of its owner


class LivenessLocks:
    """The locks of the workers of this process: none."""

    def open(self) -> None:
        """Open the lock file, before a transaction in which a worker is registered."""

    def hold(self, worker: int, owner: str) -> None:
        """Lock the slot of `worker` until it is released, if that is possible."""

    def release(self, worker: int) -> None:
        """Release the slot of `worker`, which has left the store."""


def _offset(worker: int) -> int:
    return _FIRST + worker % _SLOTS * _SLOT.size


def _name(worker: int, owner: str) -> bytes:
    return _SLOT.pack(worker % 2**32, crc32(str(owner).encode(errors="replace")))


if sys.platform == "linux":
    import fcntl

    _FLOCK = struct.Struct("hhqqi4x")  # type, whence, start, length, pid (must be 0)

    class _OfdLocks(forks.ForkAware, LivenessLocks):
        """The locks of the workers of this process, in one opening of the lock file."""

        def __init__(self, path: str) -> None:
            self._path = lock_file(path)
            self._fd = -1  # open while there are workers
            self._workers: set[int] = set()
            self._changing = Lock()

        def open(self) -> None:
            with self._changing, forks.opening, suppress(OSError):
                if self._fd < 0:
                    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                    self._fd = os.open(self._path, flags, 0o600)
                    forks.register(self)

        def hold(self, worker: int, owner: str) -> None:
            offset = _offset(worker)
            with self._changing, suppress(OSError):  # another worker has this slot; disk full
                fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK, offset))
                self._workers.add(worker)
                os.pwrite(self._fd, _name(worker, owner), offset)

        def release(self, worker: int) -> None:
            with self._changing:
                if worker in self._workers:
                    self._workers.remove(worker)
                    with suppress(OSError):
                        unlock = _flock(fcntl.F_UNLCK, _offset(worker))
                        fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, unlock)
                if not self._workers:
                    self._close()

        def _close(self) -> None:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)

        def after_fork_in_child(self) -> None:
            # Not unlocked: that would unlock the parent's. But it must not outlive the parent.
            self._changing, self._workers = Lock(), set()
            self._close()

        def __del__(self) -> None:
            self._close()

    def make_liveness_locks(path: str) -> LivenessLocks:
        """Return the locks of this process in the store at `path`."""
        return LivenessLocks() if portable() else _OfdLocks(path)

    def has_released(path: str, worker: int, owner: str) -> bool | None:
        """Return whether nobody holds the slot of a worker; None if it has none."""
        offset = _offset(worker)
        with suppress(OSError):
            fd = os.open(lock_file(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if os.pread(fd, _SLOT.size, offset) == _name(worker, owner):
                    found = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, offset))
                    return bool(_FLOCK.unpack(found)[0] == fcntl.F_UNLCK)
            finally:
                os.close(fd)
        return None

    def _flock(kind: int, offset: int) -> bytes:
        return _FLOCK.pack(kind, os.SEEK_SET, offset, _SLOT.size, 0)

else:

    def make_liveness_locks(path: str) -> LivenessLocks:
        """Return the locks of this process in the store at `path`."""
        return LivenessLocks()

    def has_released(path: str, worker: int, owner: str) -> bool | None:
        """Return whether nobody holds the slot of a worker; None if it has none."""
        return None
