"""The process that children are forked from (POSIX).

It has the application imported and nothing else: no thread, no connection, no lock. So a fork is
safe, takes milliseconds, and shares memory. It is also the children's guardian: when the
supervisor is gone, however it went, the fork server ends them and everything they started.
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

# ForkServer to supervisor
READY, FORKED, EXITED = 10, 11, 12


def main(control: socket.socket, setup: dict[str, Any]) -> None:
    """Fork a child for each stream that arrives, tell of each that dies."""
    wakeup = _watch_signals()
    scoreboard = _prepare(control, setup)
    children: set[int] = set()
    while True:
        ready, _, _ = select.select([control.fileno(), wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 512)
            for pid, status in _reap():
                children.discard(pid)
                _send(control, (EXITED, pid, status))
        if control.fileno() in ready:
            slot, stream = _receive_request(control)
            if stream is None:
                _kill_all(children)
            with stream:
                pid = os.fork()
                if pid == 0:
                    control.close()
                    _run_child(stream, scoreboard, setup, slot)
            with suppress(OSError):  # both sides do it: neither can know who is first
                os.setpgid(pid, pid)
            children.add(pid)
            _send(control, (FORKED, slot, pid))


def _prepare(control: socket.socket, setup: dict[str, Any]) -> Scoreboard:
    try:
        load(setup["preload"])(setup["spec"])
    except BaseException:  # noqa: BLE001 - importing user code can raise anything
        control.sendall(pack((START_FAILED, traceback.format_exc())))
        raise SystemExit(1) from None
    try:
        scoreboard = Scoreboard(
            setup["scoreboard"]
        )  # children inherit the map, whatever becomes of the file
    except FileNotFoundError:
        raise SystemExit(0) from None  # the pool was closed before it could begin
    _send(control, (READY,))
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page that it only looks at
    return scoreboard


def request_child(control: socket.socket, slot: int, stream: socket.socket) -> None:
    """The supervisor's side: ask for a child that lives on `stream`."""
    socket.send_fds(control, [slot.to_bytes(4)], [stream.fileno()])


def _receive_request(control: socket.socket) -> tuple[int, socket.socket | None]:
    try:
        data, fds, _, _ = socket.recv_fds(control, 4, 1)
    except OSError:
        return 0, None
    if not fds:
        return 0, None
    return int.from_bytes(data), socket.socket(fileno=fds[0])


def _run_child(
    stream: socket.socket, scoreboard: Scoreboard, setup: dict[str, Any], slot: int
) -> NoReturn:
    os.setpgid(0, 0)  # so that it can be ended together with all it started
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        run_child(stream, scoreboard, setup, slot)
        status = 0
    except SystemExit:
        pass
    except BaseException:  # noqa: BLE001 - the process ends here whatever it was
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)  # never the exit handlers of the fork server, whose copy this is


def _watch_signals() -> int:
    """A descriptor that is readable when a child has died."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # A service manager's TERM goes to every process of the unit. It is for the supervisor; the
    # fork server goes when the supervisor's end of the stream closes.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)
    return read_end


def _reap() -> list[tuple[int, int]]:
    gone = []
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            gone.append((pid, os.waitstatus_to_exitcode(status)))
    return gone


def _kill_all(children: set[int]) -> NoReturn:
    for pid in children:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    _reap()
    os._exit(0)


def _send(control: socket.socket, value: Any) -> None:
    with suppress(OSError):
        control.sendall(pack(value))
