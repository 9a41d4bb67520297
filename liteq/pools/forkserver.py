"""The fork server: the process that children are forked from (POSIX).

It has imported the application and has nothing else: no thread, no connection, no lock. So a fork
is safe, takes milliseconds, and shares memory. It also guards the children: when the supervisor is
gone for any reason, the fork server kills them and all processes that they started.
"""

import gc
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import Any, NoReturn

from ..support.plugins import load
from .child import START_FAILED, run_child
from .frames import pack
from .scoreboard import Scoreboard
from .spawn import Setup

# Fork server to supervisor, beside START_FAILED
READY, FORKED, EXITED = 10, 11, 12


def main(control: socket.socket, setup: Setup) -> None:
    """Fork a child for each stream that arrives on `control`; report each child that exits."""
    wakeup = _watch_signals()
    scoreboard = _prepare(control, setup)
    children: set[int] = set()
    while True:
        ready, _, _ = select.select([control.fileno(), wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 512)
            for pid, code in _reap():
                children.discard(pid)
                _send(control, (EXITED, pid, code))
        if control.fileno() in ready:
            slot, stream = _receive_request(control)
            if stream is None:
                _kill_all(children)
            with stream:
                pid = os.fork()
                if pid == 0:
                    control.close()
                    _run_child(stream, scoreboard, setup, slot)
            with suppress(OSError):  # parent and child both do it, because either may be first
                os.setpgid(pid, pid)
            children.add(pid)
            _send(control, (FORKED, slot, pid))


def request_child(control: socket.socket, slot: int, stream: socket.socket) -> None:
    """Ask the fork server for a child of `slot` with `stream`; called by the supervisor."""
    socket.send_fds(control, [slot.to_bytes(4)], [stream.fileno()])


def _receive_request(control: socket.socket) -> tuple[int, socket.socket | None]:
    """Return the slot and the stream of a request; no stream when the supervisor is gone."""
    try:
        data, fds, _, _ = socket.recv_fds(control, 4, 1)
    except OSError:
        return 0, None
    if not fds:
        return 0, None
    return int.from_bytes(data), socket.socket(fileno=fds[0])


def _prepare(control: socket.socket, setup: Setup) -> Scoreboard:
    try:
        load(setup["preload"])(setup["spec"])
    except BaseException:  # noqa: BLE001 - importing user code can raise anything
        control.sendall(pack((START_FAILED, traceback.format_exc())))
        raise SystemExit(1) from None
    try:
        # Children inherit the map, even when the file is deleted meanwhile.
        scoreboard = Scoreboard(setup["scoreboard"])
    except FileNotFoundError:
        raise SystemExit(0) from None  # the pool was closed before it could start
    _send(control, (READY,))
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


def _watch_signals() -> int:
    """Install signal handlers; return a descriptor that is readable when a child has exited."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # A service manager sends TERM to every process of the unit. It is meant for the supervisor;
    # the fork server exits when the supervisor's end of the stream closes.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)
    return read_end


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
