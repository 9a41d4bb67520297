"""A fair queue in front of SQLite's write lock.

SQLite's own busy handler sleeps and tries again, so a busy neighbour can starve a process for
seconds: of six hammering writers two got one commit each in three seconds. Waiting in `flock`
first, in the order of arrival, brings the worst wait from seconds to tens of milliseconds.

Where there is no `flock` the gate is always open and the jittered retry of `Session` is all.
"""

import os
import sys

if sys.platform == "win32":

    class Gate:
        """Always open: this platform has no `flock`."""

        def __init__(self, path: str) -> None:
            self.path = path

        def acquire(self) -> None:
            """Come in at once."""

        def release(self) -> None:
            """Nothing to let go of."""

        def close(self) -> None:
            """Nothing to close."""

else:
    import fcntl

    class Gate:
        """One opening of the lock file: lets one thread of one process in at a time."""

        def __init__(self, path: str) -> None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(path, flags, 0o600)

        def acquire(self) -> None:
            """Wait for the turn. A signal handler that raises ends the wait."""
            fcntl.flock(self._fd, fcntl.LOCK_EX)

        def release(self) -> None:
            """Let the next one in."""
            fcntl.flock(self._fd, fcntl.LOCK_UN)

        def close(self) -> None:
            """Close the file; the kernel lets go of the lock with it."""
            os.close(self._fd)
