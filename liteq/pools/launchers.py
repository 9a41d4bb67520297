"""How children come into the world: forked from a fork server, or as fresh interpreters."""

import os
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from logging import getLogger
from selectors import EVENT_READ, BaseSelector
from typing import Any, NamedTuple

from ..support.portable import portable
from . import forkserver
from .boot import start
from .child import BROKEN
from .frames import Channel

logger = getLogger("liteq.worker")

_PATIENCE = 5.0  # seconds for a process to end that has been told to


class Callbacks(NamedTuple):
    """What a launcher tells its pool."""

    born: Callable[[int, int], None]  # line, pid
    died: Callable[[int, int | None], None]  # pid, exit code (negative: the signal)
    broken: Callable[[str], None]  # traceback of an application that cannot be imported
    renewed: Callable[[], None]  # children that are launched from now on have the new code


class Launcher(ABC):
    """Makes children and tells of their births and deaths."""

    def __init__(self, order: dict[str, Any], tell: Callbacks) -> None:
        self.order = order
        self.tell = tell

    @abstractmethod
    def start(self, selector: BaseSelector) -> None:
        """Get ready to launch."""

    @abstractmethod
    def launch(self, line: int, stream: socket.socket) -> None:
        """Make a child that lives on `stream`, which is closed here."""

    @abstractmethod
    def renew(self) -> None:
        """Import the application anew for children to come."""

    @abstractmethod
    def ended(self, pid: int) -> None:
        """The stream of `pid` has ended: see to it that its death is told."""

    @abstractmethod
    def close(self) -> None:
        """Let go; children that are left are ended."""


class _ForkServer:
    """A fork server process, as its supervisor sees it."""

    def __init__(self, order: dict[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        self.process = start("liteq.pools.forkserver:main", theirs, order)
        self.children: set[int] = set()
        self.expected = 0  # births that were asked for and not told yet

    @property
    def empty(self) -> bool:
        return not self.children and not self.expected

    def end(self) -> None:
        self.channel.close()
        _await_end(self.process)


class ForkServerLauncher(Launcher):
    """Children are forked from one process that has the application imported."""

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        self._servers: list[_ForkServer] = []
        self._current: _ForkServer | None = None
        self._next: _ForkServer | None = None  # it has new code, and has yet to show that it works

    def launch(self, line: int, stream: socket.socket) -> None:
        # Made here, so that one that dies again and again is made as seldom as children are.
        server = self._current = self._current or self._start_server()
        server.expected += 1
        with stream, suppress(OSError):  # a dead one is noticed when its end is read
            forkserver.send_order(server.channel.socket, line, stream)

    def renew(self) -> None:
        if self._next is None:
            self._next = self._start_server()

    def ended(self, pid: int) -> None:
        """The fork server tells by itself, unless the child is of one that died."""
        if not any(pid in each.children for each in self._servers):
            self.tell.died(pid, None)

    def close(self) -> None:
        for each in self._servers[:]:
            self._dismiss(each)

    def _start_server(self) -> _ForkServer:
        server = _ForkServer(self.order)
        self._servers.append(server)
        self._selector.register(server.channel.socket, EVENT_READ, lambda: self._listen(server))
        return server

    def _listen(self, server: _ForkServer) -> None:
        for kind, *rest in server.channel.receive():
            if kind == forkserver.FORKED:
                line, pid = rest
                server.children.add(pid)
                server.expected -= 1
                self.tell.born(line, pid)
            elif kind == forkserver.EXITED:
                pid, code = rest
                server.children.discard(pid)
                self.tell.died(pid, code)
            elif kind == forkserver.READY and server is self._next:
                self._succeed(server)
            elif kind == BROKEN and server is self._next:
                logger.error("the new code cannot be imported, the old one stays:\n%s", rest[0])
            elif kind == BROKEN:
                self.tell.broken(rest[0])
        if server.channel.eof:
            self._bury(server)
        elif server.empty and server not in (self._current, self._next):
            self._dismiss(server)

    def _succeed(self, server: _ForkServer) -> None:
        before, self._current, self._next = self._current, server, None
        if before is not None and before.empty:
            self._dismiss(before)
        self.tell.renewed()

    def _bury(self, server: _ForkServer) -> None:
        """It died by itself: its children cannot be told dead from alive, so they are ended."""
        self._dismiss(server)
        for pid in server.children:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        orphans, server.children = server.children, set()
        for pid in orphans:
            self.tell.died(pid, None)

    def _dismiss(self, server: _ForkServer) -> None:
        self._servers.remove(server)
        self._current = None if self._current is server else self._current
        self._next = None if self._next is server else self._next
        self._selector.unregister(server.channel.socket)
        server.end()


class SpawnLauncher(Launcher):
    """Every child is a fresh interpreter: slower, and works everywhere."""

    def start(self, selector: BaseSelector) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def launch(self, line: int, stream: socket.socket) -> None:
        process = start("liteq.pools.child:spawned", stream, {**self.order, "line": line})
        self._processes[process.pid] = process
        self.tell.born(line, process.pid)

    def renew(self) -> None:
        self.tell.renewed()  # each child imports the application anyway

    def ended(self, pid: int) -> None:
        self.tell.died(pid, _await_end(self._processes.pop(pid)))

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes = {}


def _await_end(process: "subprocess.Popen[bytes]") -> int:
    """The exit code of a process that has closed its stream. If it lives on, it is of no use."""
    try:
        return process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def make_launcher(order: dict[str, Any], tell: Callbacks) -> Launcher:
    """The best launcher of this platform."""
    return (SpawnLauncher if portable() else ForkServerLauncher)(order, tell)
