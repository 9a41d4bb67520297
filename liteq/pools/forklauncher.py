"""The launcher of children that are forked from a fork server, of which the first may be forked."""

import socket
from collections.abc import Callable
from contextlib import suppress
from logging import Logger, getLogger
from selectors import EVENT_READ, BaseSelector
from typing import Any, Protocol

from . import forkserver
from .forked import fork
from .frames import Channel
from .launchers import EXIT_TIMEOUT, Callbacks, Launcher, spawn_with_scoreboard
from .protocol import START_FAILED, Setup

logger: Logger = getLogger("liteq.worker")


class _Process(Protocol):
    """A SpawnedProcess or a ForkedProcess."""

    returncode: int | None

    def wait_or_kill(self, timeout: float) -> None: ...


class _ForkServer:
    """A fork server process, as its supervisor sees it."""

    def __init__(self, start: Callable[[socket.socket], _Process]) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        try:
            with theirs:
                self.process = start(theirs)
        except BaseException:
            self.channel.close()
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
        self.process.wait_or_kill(EXIT_TIMEOUT)


class ForkServerLauncher(Launcher):
    """A launcher that forks children from a process that has imported the application.

    `adopt`: called first in the first fork server, which is a fork of this process then.
    """

    def __init__(
        self, setup: Setup, callbacks: Callbacks, adopt: Callable[[], None] | None
    ) -> None:
        super().__init__(setup, callbacks)
        self._adopt = adopt

    def start(self, selector: BaseSelector) -> None:
        self._selector = selector
        self._servers: list[_ForkServer] = []
        self._current: _ForkServer | None = None
        self._next: _ForkServer | None = None  # it has new code, and is not ready yet
        if self._adopt is not None:
            with suppress(OSError):  # no room for a process: `launch` tries again
                self._current = self._start_server(self._fork)

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

    def _fork(self, stream: socket.socket) -> _Process:
        def serve() -> None:
            assert self._adopt is not None
            self._adopt()
            forkserver.main(stream, self.setup)

        return fork(serve, self._selector)

    def _spawn(self, stream: socket.socket) -> _Process:
        return spawn_with_scoreboard("liteq.pools.forkserver:main", stream, self.setup)

    def _start_server(
        self, start: Callable[[socket.socket], _Process] | None = None
    ) -> _ForkServer:
        server = _ForkServer(start or self._spawn)
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
