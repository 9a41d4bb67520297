"""Launchers of child processes: fork them from a fork server, or start fresh interpreters."""

import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from logging import Logger, getLogger
from selectors import EVENT_READ, BaseSelector
from typing import Any, NamedTuple

from ..support.portable import forks
from . import forkserver
from .child import START_FAILED, Setup
from .frames import Channel
from .guards import make_guard
from .spawn import spawn

logger: Logger = getLogger("liteq.worker")

_EXIT_TIMEOUT = 5.0  # seconds that a process may take to exit after its stream was closed


class Callbacks(NamedTuple):
    """The functions of the pool that a launcher calls."""

    started: Callable[[int, int], None]  # slot, pid
    exited: Callable[[int, int | None], None]  # pid, exit code (negative: the signal)
    start_failed: Callable[[str], None]  # traceback of an application that cannot be imported
    # Children that are launched from now on have the new code, which tells this of itself.
    code_renewed: Callable[[Any], None]
    unguarded: Callable[[], None]  # nobody will kill the children when this process is killed


class Launcher(ABC):
    """A launcher, which starts children and reports when they have started and exited."""

    def __init__(self, setup: Setup, callbacks: Callbacks) -> None:
        self.setup = setup
        self.callbacks = callbacks

    @abstractmethod
    def start(self, selector: BaseSelector) -> None:
        """Prepare to launch children."""

    @abstractmethod
    def launch(self, slot: int, stream: socket.socket) -> None:
        """Start a child for `slot` with `stream`, which is closed in this process.

        Raises OSError if the machine has no room for a process.
        """

    @abstractmethod
    def renew(self) -> None:
        """Import the application anew for children that are launched later."""

    @abstractmethod
    def stream_closed(self, pid: int) -> None:
        """Make sure that the exit of `pid`, which has closed its stream, is reported."""

    @abstractmethod
    def close(self) -> None:
        """Kill the children that are left, and release all resources."""


class _ForkServer:
    """A fork server process, as its supervisor sees it."""

    def __init__(self, setup: Setup) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        try:
            self.process = _spawn("liteq.pools.forkserver:main", theirs, setup)
        except BaseException:
            self.channel.close()
            theirs.close()
            raise
        self.children: set[int] = set()
        self.closed: set[int] = set()  # those of them whose stream is closed
        self.requested = 0  # children that were requested and are not reported yet
        self.failed = False  # it could not import the application

    @property
    def idle(self) -> bool:
        return not self.children and not self.requested

    def close(self) -> None:
        self.channel.close()
        _wait_for_exit(self.process)


class ForkServerLauncher(Launcher):
    """A launcher that forks children from a process that has imported the application."""

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        self._servers: list[_ForkServer] = []
        self._current: _ForkServer | None = None
        self._next: _ForkServer | None = None  # it has new code, and is not ready yet

    def launch(self, slot: int, stream: socket.socket) -> None:
        # A server is started here, so one that exits again and again is started no more often
        # than children are.
        with stream:
            server = self._current = self._current or self._start_server()
            server.requested += 1
            with suppress(OSError):  # if it has exited, that is noticed when its end is read
                forkserver.request_child(server.channel.socket, slot, stream)

    def renew(self) -> None:
        if self._next is None:
            try:
                self._next = self._start_server()
            except OSError as exc:
                logger.warning("the new code is not loaded, the old one stays: %s", exc)

    def stream_closed(self, pid: int) -> None:
        # The fork server reports the exit, unless it has exited itself.
        for server in self._servers:
            if pid in server.children:
                server.closed.add(pid)
                return
        self.callbacks.exited(pid, None)

    def close(self) -> None:
        for each in self._servers[:]:
            self._remove(each)

    def _start_server(self) -> _ForkServer:
        server = _ForkServer(self.setup)
        self._servers.append(server)
        self._selector.register(server.channel.socket, EVENT_READ, lambda: self._receive(server))
        return server

    def _receive(self, server: _ForkServer) -> None:
        for frame in server.channel.receive():
            try:
                self._take(server, *frame)
            except (LookupError, TypeError, ValueError) as exc:
                logger.debug("malformed frame of the fork server: %r", exc)
                server.channel.fail()
                break
        if server.channel.broken:
            logger.error("the fork server has sent what cannot be read, so it is replaced")
        if server.channel.eof:
            self._handle_exit(server)
        elif server.idle and server not in (self._current, self._next):
            self._remove(server)

    def _take(self, server: _ForkServer, kind: int, *rest: Any) -> None:
        if kind == forkserver.FORKED:
            slot, pid = rest
            server.children.add(pid)
            server.requested -= 1
            self.callbacks.started(slot, pid)
        elif kind == forkserver.EXITED:
            pid, code = rest
            server.children.discard(pid)
            server.closed.discard(pid)
            self.callbacks.exited(pid, code)
        elif kind == forkserver.READY and server is self._next:
            self._switch_to(server, *rest)
        elif kind == START_FAILED and server is self._next:
            server.failed = True
            logger.error("the new code cannot be imported, the old one stays:\n%s", rest[0])
        elif kind == START_FAILED:
            self.callbacks.start_failed(rest[0])

    def _switch_to(self, server: _ForkServer, description: Any) -> None:
        before, self._current, self._next = self._current, server, None
        if before is not None and before.idle:
            self._remove(before)
        self.callbacks.code_renewed(description)

    def _handle_exit(self, server: _ForkServer) -> None:
        """Let the children of a server that exited end their tasks: these are not to blame.

        The end of their streams tells when they exit, see `stream_closed`.
        """
        was_next = server is self._next
        self._remove(server)
        for pid in server.closed:  # they exited just before it, so it did not report them
            server.children.discard(pid)
            self.callbacks.exited(pid, None)
        if was_next and not server.failed:
            logger.error(
                "the new code cannot be loaded, the old one stays: its fork server exited with "
                "code %s",
                server.process.returncode,
            )
        if not server.idle:
            self.callbacks.unguarded()

    def _remove(self, server: _ForkServer) -> None:
        self._servers.remove(server)
        self._current = None if self._current is server else self._current
        self._next = None if self._next is server else self._next
        self._selector.unregister(server.channel.socket)
        server.close()


class SpawnLauncher(Launcher):
    """A launcher of fresh interpreters, which is slower, and works on every platform."""

    def start(self, selector: BaseSelector) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._guard = make_guard()

    def launch(self, slot: int, stream: socket.socket) -> None:
        with stream:
            self._guard.prepare()
            process = _spawn("liteq.pools.child:main", stream, {**self.setup, "slot": slot})
        self._processes[process.pid] = process
        self._guard.add(process)
        self.callbacks.started(slot, process.pid)

    def renew(self) -> None:
        self.callbacks.code_renewed(None)  # each child imports the application itself

    def stream_closed(self, pid: int) -> None:
        code = _wait_for_exit(self._processes.pop(pid))
        self.callbacks.exited(pid, code)
        self._guard.remove(pid)

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes = {}
        self._guard.close()


def _spawn(function: str, stream: socket.socket, setup: Setup) -> "subprocess.Popen[bytes]":
    """Start a process that can open the scoreboard in `setup`."""
    handle = setup["scoreboard"]
    keep = (handle,) if isinstance(handle, int) else ()  # on Windows it is opened by its path
    return spawn(function, stream, setup, keep=keep)


def _wait_for_exit(process: "subprocess.Popen[bytes]") -> int:
    """Return the exit code of a process that has closed its stream; kill it if it does not exit."""
    try:
        return process.wait(_EXIT_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def make_launcher(setup: Setup, callbacks: Callbacks) -> Launcher:
    """Return the fastest launcher that works on this platform."""
    return (ForkServerLauncher if forks() else SpawnLauncher)(setup, callbacks)
