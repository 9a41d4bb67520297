"""Whether the process that holds a claim is still there: identity, not time.

A process is named by boot, pid namespace, pid and the moment it started. So a worker that is
merely late (stopped, swapped out, suspended with the laptop) is never taken for dead, and a
number that was given to another process is never taken for the worker.
"""

import os
import socket
from functools import cache
from typing import NamedTuple


class Owner(NamedTuple):
    """The identity of a process; empty fields are what the platform does not tell."""

    host: str
    boot: str
    space: str  # the pid namespace
    pid: int
    start: str  # in ticks since boot

    def __str__(self) -> str:
        return "|".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> "Owner":
        """The owner that `str()` wrote."""
        host, boot, space, pid, start = text.split("|")
        return cls(host, boot, space, int(pid), start)


def this_process() -> Owner:
    """The identity of the calling process."""
    pid = os.getpid()
    return Owner(socket.gethostname(), _boot(), _space(), pid, _start(pid) or "")


def is_dead(owner: Owner) -> bool | None:
    """True or False where it can be proven from here, None where it cannot."""
    mine = this_process()
    if owner.host == mine.host and owner.boot != mine.boot:
        return True  # the machine was restarted since
    if (owner.host, owner.space) != (mine.host, mine.space):
        return None
    if not _has_proc():
        return _gone_by_signal(owner.pid)
    start = _start(owner.pid)
    return start is None or start != owner.start


def state_of(pid: int) -> str:
    """The letter that `ps` shows for the process: T is stopped, Z a zombie; "" for unknown."""
    fields = _stat(pid)
    return fields[0] if fields else ""


@cache
def _has_proc() -> bool:
    return os.path.exists("/proc/self/stat")


@cache
def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def _space() -> str:
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return ""


def _start(pid: int) -> str | None:
    """When `pid` started; None for no such process, and for one that is only a zombie."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] not in "ZX" else None


def _stat(pid: int) -> list[str] | None:
    """What /proc tells of `pid` behind its name; None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may hold anything, so fields count from the last one.
            return file.read().rpartition(b")")[2].decode().split()
    except OSError:
        return None


def _gone_by_signal(pid: int) -> bool | None:
    if os.name != "posix":
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return None
    return None  # somebody has that number: it may be another process by now
