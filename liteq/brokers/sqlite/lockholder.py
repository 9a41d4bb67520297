"""Who keeps a store locked: for the error that somebody gets who waited in vain."""

import os

from ..owners import state_of

_WRITE_LOCK = "120"  # the byte of the -shm file that SQLite's writers lock


def describe_holder(pid: int) -> str:
    """Words for the process `pid`, which is inside the gate."""
    if state_of(pid) == "T":
        return f"held by pid {pid}, which is stopped: let it go on (kill -CONT {pid}) or end it"
    return f"held by pid {pid}, in a transaction that does not end: end that process"


def describe_writer(path: str) -> str:
    """Words for whoever is in a transaction on the store at `path` without having queued for it."""
    pid = _pid_of_writer(f"{path}-shm")
    who = f"held by pid {pid}" if pid else "held by another program"
    return f"{who}, in a transaction that does not end: close that program"


def _pid_of_writer(path: str) -> int | None:
    """The pid of the process that has locked the store for writing, where /proc tells (Linux)."""
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
