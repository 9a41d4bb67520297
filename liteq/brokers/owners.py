"""The identity of a process, by which it is proven that the owner of a claim has exited.

A process is identified by boot, pid namespace, pid and start time. So a worker that is only late
(stopped, swapped out, suspended with the laptop) is never taken for dead, and a process that was
given the pid of a dead worker is never taken for it.
"""

import os
import socket
from functools import cache
from typing import NamedTuple

_ENDED = "ZX"  # states of a process that has exited and was not collected by its parent yet
_LONGEST_STAT = 4096  # bytes of /proc/PID/stat: some fifty numbers and a short name
_STATE, _START = 0, 19  # fields of /proc/PID/stat behind the name


class Owner(NamedTuple):
    """The identity of a process; a field that is unknown on this platform is empty."""

    host: str
    boot: str
    space: str  # the pid namespace
    pid: int
    start: str  # in ticks since boot

    def __str__(self) -> str:
        return "|".join(map(str, self))

    @classmethod
    def parse(cls, text: object) -> "Owner | None":
        """Return the owner that `str()` wrote; None for anything else, which a store may hold."""
        try:
            host, boot, space, pid, start = str(text).split("|")
            return cls(host, boot, space, int(pid), start)
        except ValueError:
            return None


def this_process() -> Owner:
    """Return the identity of the calling process."""
    pid = os.getpid()
    return Owner(socket.gethostname(), _boot(), _space(), pid, _start(pid) or "")


def is_dead(owner: Owner | None) -> bool | None:
    """Return whether the process has exited; None where that cannot be proven from here."""
    if owner is None:
        return None
    if died_with_machine(owner):
        return True
    if (owner.host, owner.space) != (socket.gethostname(), _space()):
        return None
    fields = _stat(owner.pid)
    if fields is None:
        return _exited_by_signal(owner.pid)  # /proc may hide the processes of other users
    return fields[_STATE] in _ENDED or fields[_START] != owner.start


def died_with_machine(owner: Owner | None) -> bool:
    """Return whether this machine was restarted since the process ran.

    By the name of the host: another machine of the same name is taken for this one.
    """
    if owner is None:
        return False
    host, boot = socket.gethostname(), _boot()
    return owner.host == host and bool(owner.boot and boot) and owner.boot != boot


def state_of(pid: int) -> str:
    """Return the letter that `ps` shows for the process: T stopped, Z a zombie; "" if unknown."""
    fields = _stat(pid)
    return fields[_STATE] if fields else ""


def _has_proc() -> bool:
    """Return whether /proc is that of our own pid namespace: else its numbers are not ours."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


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
    """Return when `pid` started; None if there is no such process, or it is a zombie."""
    fields = _stat(pid)
    return fields[_START] if fields and fields[_STATE] not in _ENDED else None


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat behind the name; None if it cannot be read."""
    if not _has_proc():
        return None
    try:
        # Each worker reads it every second: `open` makes six more system calls.
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
        try:
            data = os.read(file, _LONGEST_STAT)
        finally:
            os.close(file)
    except OSError:
        return None
    # The name in parentheses may contain anything, so split behind the last parenthesis.
    return data.rpartition(b")")[2].decode().split()


def _exited_by_signal(pid: int) -> bool | None:
    if os.name != "posix":
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return None
    return None  # a process has that pid, but it may be another one by now
