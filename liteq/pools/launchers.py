"""How children come into the world: forked from a nursery, or as fresh interpreters."""

import os
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, BaseSelector
from typing import Any

from . import nursery
from .boot import start
from .child import BROKEN
from .frames import Channel

Born = Callable[[int, int], None]  # line, pid
Died = Callable[[int, int | None], None]  # pid, exit code (negative: the signal)
Broken = Callable[[str], None]  # traceback of an application that cannot be imported


class Launcher(ABC):
    """Makes children and tells of their births and deaths."""

    def __init__(self, order: dict[str, Any], born: Born, died: Died, broken: Broken) -> None:
        self.order = order
        self.born = born
        self.died = died
        self.broken = broken

    @abstractmethod
    def start(self, selector: BaseSelector) -> None:
        """Get ready to launch."""

    @abstractmethod
    def launch(self, line: int, stream: socket.socket) -> None:
        """Make a child that lives on `stream`, which is closed here."""

    @abstractmethod
    def ended(self, pid: int) -> None:
        """The stream of `pid` has ended: see to it that its death is told."""

    @abstractmethod
    def close(self) -> None:
        """Let go; children that are left are ended."""


class NurseryLauncher(Launcher):
    """Children are forked from one process that has the application imported."""

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        self._children: set[int] = set()
        self._nurse()

    def _nurse(self) -> None:
        ours, theirs = socket.socketpair()
        self._process = start("liteq.pools.nursery:main", theirs, self.order)
        self._channel = Channel(ours)
        self._selector.register(ours, EVENT_READ, self._listen)

    def launch(self, line: int, stream: socket.socket) -> None:
        with stream, suppress(OSError):  # a nursery that died is replaced when its end is read
            nursery.send_order(self._channel.socket, line, stream)

    def ended(self, pid: int) -> None:
        """The nursery tells by itself, unless the child is of one that died."""
        if pid not in self._children:
            self.died(pid, None)

    def close(self) -> None:
        self._selector.unregister(self._channel.socket)
        self._channel.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        for kind, *rest in self._channel.receive():
            if kind == nursery.FORKED:
                line, pid = rest
                self._children.add(pid)
                self.born(line, pid)
            elif kind == nursery.EXITED:
                pid, code = rest
                self._children.discard(pid)
                self.died(pid, code)
            elif kind == BROKEN:
                self.broken(rest[0])
        if self._channel.eof:
            self._start_over()

    def _start_over(self) -> None:
        """The nursery is gone: its children cannot be told dead from alive, so they are ended."""
        self._selector.unregister(self._channel.socket)
        self._channel.close()
        code = self._process.wait()
        orphans, self._children = self._children, set()
        for pid in orphans:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        if code != 1:  # 1: it has told why it cannot work
            self._nurse()
        for pid in orphans:
            self.died(pid, None)


class SpawnLauncher(Launcher):
    """Every child is a fresh interpreter: slower, and works everywhere."""

    def start(self, selector: BaseSelector) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def launch(self, line: int, stream: socket.socket) -> None:
        process = start("liteq.pools.child:spawned", stream, {**self.order, "line": line})
        self._processes[process.pid] = process
        self.born(line, process.pid)

    def ended(self, pid: int) -> None:
        process = self._processes.pop(pid)
        try:
            code: int | None = process.wait(2)
        except subprocess.TimeoutExpired:  # it closed its stream and lives on: of no use to us
            process.kill()
            code = process.wait()
        self.died(pid, code)

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes = {}


def make_launcher(order: dict[str, Any], born: Born, died: Died, broken: Broken) -> Launcher:
    """The best launcher of this platform; `LITEQ_PORTABLE=1` takes the one that works anywhere."""
    portable = sys.platform == "win32" or os.environ.get("LITEQ_PORTABLE") == "1"
    return (SpawnLauncher if portable else NurseryLauncher)(order, born, died, broken)
