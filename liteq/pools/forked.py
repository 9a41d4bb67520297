"""The fork server as a fork of its supervisor: what that has imported is there at once, and shared.

A fresh interpreter takes 80 ms to import it all once more, and 7 MB to hold it. A fork is only made
of a process that has nothing to lose by it: see `can_fork`.
"""

import gc
import os
import signal
import stat
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from selectors import BaseSelector
from types import ModuleType
from typing import NoReturn

from ..support.childprocess import mark_as_child
from ..support.portable import forks

_LOOK_EVERY = 0.001  # seconds between two looks whether the process has exited
_HANDLED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


class ForkedProcess:
    """A process that was forked from this one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None  # negative: the signal; None: it runs, or is not known

    def wait_or_kill(self, timeout: float) -> None:
        """Wait until it has exited; kill it if that takes more than `timeout` seconds."""
        end = time.monotonic() + timeout
        while not self._reaped(os.WNOHANG):
            if time.monotonic() > end:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
                self._reaped(0)
                return
            time.sleep(_LOOK_EVERY)

    def _reaped(self, options: int) -> bool:
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:  # the program has reaped it
            return True
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)
        return pid != 0


def can_fork() -> bool:
    """Return whether a fork of this process can take the place of a fresh interpreter.

    Only on Linux, which tells what a process has: one thread, counting those of libraries in C, as
    a lock that another one holds would be held in the fork for ever; and no socket, as the fork
    would write to the same connection. Call it in the main thread.
    """
    if not forks():
        return False
    try:
        threads = len(os.listdir("/proc/self/task"))
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return False
    return threads == 1 == threading.active_count() and not any(map(_is_socket, descriptors))


def _is_socket(descriptor: str) -> bool:
    number = int(descriptor)
    if number < 3:  # the standard streams, which every child has: systemd's journal is a socket
        return False
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:  # that of the listing itself
        return False


def fork(serve: Callable[[], None], selector: BaseSelector) -> ForkedProcess:
    """Fork a process that calls `serve`, and nothing else of this one. Raises OSError.

    In it all that `selector` waits for is closed.
    """
    _flush()  # or both processes would write what is buffered
    # Or collections would write to all pages that the processes share. (To collect before it takes
    # 6 ms, and saves no memory.)
    gc.freeze()
    # A signal that came before the fork has its own handlers would be handled as if here.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _run(serve, selector, before)
        with suppress(OSError):  # parent and child both do it, because either may be first
            os.setpgid(pid, pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return ForkedProcess(pid)


def _run(
    serve: Callable[[], None], selector: BaseSelector, mask: set[int | signal.Signals]
) -> NoReturn:
    """Turn this process into what `spawn` starts; call `serve`, and exit."""
    status = 1
    try:
        os.setpgid(0, 0)  # it survives a kill of its supervisor's group, to kill the children
        _reset_signals(mask)
        _close_all_of(selector)
        _empty_stdin()
        mark_as_child()
        # Or `multiprocessing` in a task would run the command line once more in its helpers.
        sys.modules["__main__"] = ModuleType("__main__")
        serve()
        status = 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else 1
    except BaseException:  # noqa: BLE001 - the process exits here after any error
        traceback.print_exc()
    finally:
        _flush()
        os._exit(status)  # without exit handlers, which are those of the supervisor


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # it is closed, its other end too, or the disk is full
            stream.flush()


def _reset_signals(mask: set[int | signal.Signals]) -> None:
    signal.set_wakeup_fd(-1)
    for name in _HANDLED:  # by the supervisor, so far
        signal.signal(getattr(signal, name), _ignore)  # until `serve` has its own
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _ignore(number: int, frame: object) -> None:
    pass


def _close_all_of(selector: BaseSelector) -> None:
    for key in list(selector.get_map().values()):
        close = getattr(key.fileobj, "close", None)
        if close is not None:
            close()
    selector.close()


def _empty_stdin() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open
