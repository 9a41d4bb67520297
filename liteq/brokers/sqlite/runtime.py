"""The folder for sockets and pipes, which are of no use once their processes have exited."""

import os
from contextlib import suppress

_LONGEST_PATH = 100  # bytes, for a socket; the limit is 104 on macOS and 108 on Linux


def runtime_folder() -> str | None:
    """Return a folder that only this user can use; None if there is none with a short path."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.access(base, os.W_OK | os.X_OK):
        folder = os.path.join(base, "liteq")
    else:
        # Not `tempfile.gettempdir()`: it takes a lock, which a forked child may find held for ever.
        folder = os.path.join(os.environ.get("TMPDIR") or "/tmp", f"liteq-{os.getuid()}")  # noqa: S108
    if len(os.fsencode(folder)) + 32 > _LONGEST_PATH:
        return None
    with suppress(OSError):
        os.mkdir(folder, 0o700)
    try:
        found = os.lstat(folder)
    except OSError:
        return None
    private = found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if private and os.path.isdir(folder) else None
