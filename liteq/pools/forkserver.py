"""The fork server: the process that children are forked from (POSIX).

It has imported the application and has nothing else: no thread, no connection, no lock. So a fork
is safe, takes milliseconds, and shares memory. It also guards the children: when the supervisor is
gone for any reason, the fork server kills them and all processes that they started. When the fork
server itself is gone, its children end their task and are replaced.
"""

import gc
import os
import select
import signal
import socket
import sys
import traceback
from collections import deque
from contextlib import suppress
from logging import Logger, getLogger
from typing import Any, NamedTuple, NoReturn

from ..support.plugins import load
from ..support.wakeup import Wakeup
from .childmain import import_loop, run_child
from .frames import pack
from .protocol import START_FAILED, Setup
from .scoreboard import Scoreboard, open_scoreboard

logger: Logger = getLogger("liteq.worker")

# Fork server to supervisor, beside START_FAILED
READY, FORKED, EXITED = 10, 11, 12

_RETRY_FORK_AFTER = 1000  # milliseconds


class _Request(NamedTuple):
    """A child that the supervisor has requested."""

    slot: int
    stream: socket.socket


def main(control: socket.socket, setup: Setup) -> None:
    """Fork a child for each stream that arrives on `control`; report each child that exits."""
    wakeup = _watch_signals()
    scoreboard = _prepare(control, setup)
    poll = select.poll()  # `select` takes no descriptor beyond 1023
    poll.register(control, select.POLLIN)
    poll.register(wakeup, select.POLLIN)
    children: set[int] = set()
    requests: deque[_Request] = deque()
    while True:
        ready = {fd for fd, _ in poll.poll(_RETRY_FORK_AFTER if requests else None)}
        if wakeup.fileno() in ready:
            wakeup.clear()
            for pid, code in _reap():
                children.discard(pid)
                _send(control, (EXITED, pid, code))
        if control.fileno() in ready:
            request = _receive_request(control)
            if request is None:
                _kill_all(children)
            requests.append(request)
        while requests and (forked := _fork(requests[0])) is not None:
            slot, stream = requests.popleft()
            if forked == 0:
                control.close()
                _run_child(stream, scoreboard, setup, slot)
            stream.close()
            with suppress(OSError):  # parent and child both do it, because either may be first
                os.setpgid(forked, forked)
            children.add(forked)
            _send(control, (FORKED, slot, forked))


def _fork(request: _Request) -> int | None:
    """Fork; return the pid, 0 in the child. None if the machine has no room for a process now.

    The request then stays, and is tried again: the other children have to live on.
    """
    try:
        return os.fork()
    except OSError as exc:
        logger.warning("no process for slot %d, tried again in a moment: %s", request.slot, exc)
        return None


def request_child(control: socket.socket, slot: int, stream: socket.socket) -> None:
    """Ask the fork server for a child of `slot` with `stream`; called by the supervisor."""
    socket.send_fds(control, [slot.to_bytes(4)], [stream.fileno()])


def _receive_request(control: socket.socket) -> _Request | None:
    """Return a request of the supervisor; None when it is gone."""
    try:
        data, fds, _, _ = socket.recv_fds(control, 4, 1)
    except OSError:
        return None
    return _Request(int.from_bytes(data), socket.socket(fileno=fds[0])) if fds else None


def _prepare(control: socket.socket, setup: Setup) -> Scoreboard:
    try:
        import_loop(setup)
        description = load(setup["preload"])(setup["spec"])
    except BaseException:  # noqa: BLE001 - importing user code can raise anything
        control.sendall(pack((START_FAILED, traceback.format_exc())))
        raise SystemExit(1) from None
    scoreboard = open_scoreboard(setup["scoreboard"])  # children inherit the map
    _send(control, (READY, description))
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page with an object that it looks at
    return scoreboard


def _run_child(stream: socket.socket, scoreboard: Scoreboard, setup: Setup, slot: int) -> NoReturn:
    os.setpgid(0, 0)  # so that it can be killed together with all processes that it started
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        run_child(stream, scoreboard, setup, slot)
        status = 0
    except SystemExit:
        pass
    except BaseException:  # noqa: BLE001 - the process exits here after any error
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)  # without exit handlers, which are those of the fork server


def _watch_signals() -> Wakeup:
    """Install signal handlers; return what is set when a child has exited."""
    wakeup = Wakeup()
    wakeup.set_by_signals()
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # A service manager sends TERM to every process of the unit. It is meant for the supervisor;
    # the fork server exits when the supervisor's end of the stream closes.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)
    return wakeup


def _reap() -> list[tuple[int, int]]:
    """Collect the children that have exited: pid and exit code (negative: the signal) of each."""
    exited = []
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            exited.append((pid, os.waitstatus_to_exitcode(status)))
    return exited


def _kill_all(children: set[int]) -> NoReturn:
    for pid in children:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    _reap()
    os._exit(0)


def _send(control: socket.socket, value: Any) -> None:
    with suppress(OSError):
        control.sendall(pack(value))
