"""The files of SQLite's write-ahead log: `-wal`, and `-shm`, the index of it.

They stay the same for as long as any connection is open. If they are deleted nevertheless, the
processes that have them open go on with files that have no name, and the next that opens the store
makes new ones: two logs of one file.
"""

import os

Identity = tuple[int, int]
"""The device and the inode of a file; zeros for none."""


def identity(path: str) -> Identity:
    """Return which file is at `path`."""
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


class LogFiles:
    """The log that one connection uses, once it is known."""

    def __init__(self, path: str) -> None:
        self._paths = (f"{path}-wal", f"{path}-shm")
        self._known: tuple[Identity, ...] = ()

    def note(self) -> None:
        """Take the files that are there for those that the connection uses, unless it is known."""
        if not self._known:
            self._known = tuple(map(identity, self._paths))

    def forget(self) -> None:
        """Forget them: the connection was closed, and the last one to do so removes them."""
        self._known = ()

    def lost(self) -> bool:
        """Return whether one of them was deleted or replaced."""
        return bool(self._known) and self._known != tuple(map(identity, self._paths))

    def replaced(self) -> bool:
        """Return whether another one is in the place of one of them."""
        present = map(identity, self._paths)
        return any(
            now not in (known, (0, 0)) for known, now in zip(self._known, present, strict=False)
        )
