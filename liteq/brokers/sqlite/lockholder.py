"""Descriptions of the process that holds the write lock, for error messages."""

import os
import threading

from ..owners import state_of

_WRITE_LOCK = "120"  # the byte of the -shm file that SQLite's writers lock


def describe_holder(pid: int, path: str) -> str:
    """Return words for the process `pid`, which holds liteq's write lock on `path`.

    It may itself wait for a program that has taken SQLite's lock without ours.
    """
    if _pid_of_writer(f"{path}-shm") not in (None, pid):
        return describe_other_program(path)
    if state_of(pid) == "T":
        return f"held by pid {pid}, which is stopped: let it go on (kill -CONT {pid}) or end it"
    return f"held by pid {pid}, in a transaction that does not end: end that process"


def describe_other_program(path: str) -> str:
    """Return words for a program that holds SQLite's lock on `path` and did not take liteq's."""
    pid = _pid_of_writer(f"{path}-shm")
    if pid == os.getpid():
        return (
            f"held by this process itself (pid {pid}), which has a transaction open on the same "
            "file by a connection of its own: commit or roll back before a task is sent"
        )
    holder = f"held by pid {pid}" if pid else "held by another program"
    return f"{holder}, in a transaction that does not end: close that program"


def is_held_by_caller(path: str) -> bool:
    """Return whether this very thread holds SQLite's lock on `path`, so that waiting is in vain.

    So it is if this process holds it and has no other thread. False where /proc does not tell.
    """
    return threading.active_count() == 1 and _pid_of_writer(f"{path}-shm") == os.getpid()


def _pid_of_writer(path: str) -> int | None:
    """Return the pid that has locked the file for writing; None where /proc does not tell."""
    try:
        found = os.stat(path)
        with open("/proc/locks") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    inode = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        # 1: POSIX ADVISORY WRITE 4711 fe:01:1835040 120 120
        if line[1] == "POSIX" and line[3] == "WRITE" and line[5:7] == [inode, _WRITE_LOCK]:
            return int(line[4])
    return None
