"""Guards, which kill children that are fresh interpreters when their supervisor is gone.

A child notices that by the end of its stream, but not while it is in C code that keeps the GIL; and
what its task has started would go on. (Forked children are guarded by their fork server.)
"""

import os
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .frames import Channel, FrameReader
from .spawn import spawn

_ADD, _REMOVE = 0, 1


class Guard(ABC):
    """A guard of the children of this process."""

    def prepare(self) -> None:
        """Be ready for another child. Raises OSError if the machine has no room for a process."""

    @abstractmethod
    def add(self, child: "subprocess.Popen[bytes]") -> None:
        """Guard `child` and all that it starts."""

    @abstractmethod
    def remove(self, pid: int) -> None:
        """Forget the child `pid`, which has exited."""

    @abstractmethod
    def close(self) -> None:
        """Kill the children that are left, and end."""


class ProcessGuard(Guard):
    """A process that outlives this one just as long as it takes to kill the children (POSIX)."""

    def __init__(self) -> None:
        self._pids: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None

    def prepare(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        if self._channel is not None:
            self._channel.close()
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        with theirs:
            self._process = spawn("liteq.pools.guards:main", theirs, {})
        for pid in self._pids:
            self._channel.send((_ADD, pid))

    def add(self, child: "subprocess.Popen[bytes]") -> None:
        self._pids.add(child.pid)
        self._tell(_ADD, child.pid)

    def remove(self, pid: int) -> None:
        self._pids.discard(pid)
        self._tell(_REMOVE, pid)

    def close(self) -> None:
        if self._channel is not None and self._process is not None:
            self._channel.close()
            self._process.wait()

    def _tell(self, what: int, pid: int) -> None:
        if self._channel is not None:
            self._channel.send((what, pid))


def main(stream: socket.socket, _: Mapping[str, Any]) -> None:
    """Kill the children of a supervisor, by their process groups, when it is gone."""
    # A service manager sends TERM to every process of the unit. It is meant for the supervisor.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    stream.setblocking(True)
    reader = FrameReader()
    pids: set[int] = set()
    while data := _received(stream):
        for what, pid in reader.feed(data):
            (pids.add if what == _ADD else pids.discard)(pid)
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _received(stream: socket.socket) -> bytes:
    try:
        return stream.recv(4096)
    except OSError:
        return b""


class JobGuard(Guard):
    """A job object for each child: the system kills all in it when this process is gone (Windows).

    Written from the documentation of Windows, and never run.
    """

    def __init__(self) -> None:
        self._jobs: dict[int, Any] = {}

    def add(self, child: "subprocess.Popen[bytes]") -> None:
        if sys.platform == "win32":
            from .jobs import Job

            self._jobs[child.pid] = Job(int(child._handle))

    def remove(self, pid: int) -> None:
        job = self._jobs.pop(pid, None)
        if job is not None:
            job.terminate()

    def close(self) -> None:
        for pid in list(self._jobs):
            self.remove(pid)


def make_guard() -> Guard:
    """Return the guard of this platform."""
    return JobGuard() if sys.platform == "win32" else ProcessGuard()
