"""The state of a process that a task may change, and that is restored before the next task."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

if sys.platform != "win32":
    import resource  # here, so that the fork server has it for all children

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGCHLD", "SIGBREAK")


class ProcessState:
    """The working folder, standard streams, umask, limits and signal handlers of this process."""

    def __init__(self) -> None:
        parts = [_folder(), _umask(), *_mask(), _timeout(), *_streams(), *_handlers(), *_limits()]
        self._parts = [(read, write, read()) for read, write in parts]
        self._files = [(fd, _spare(fd), _identity(fd)) for fd in range(3)]

    def restore(self) -> bool:
        """Restore what was changed; return False if that fails and the process must be replaced."""
        try:
            for fd, spare, identity in self._files:
                if _identity(fd) != identity:
                    os.dup2(spare, fd)
            for read, write, value in self._parts:
                if read() != value:
                    write(value)
        except (OSError, TypeError, ValueError):
            return False  # the folder was removed, or only root can raise a limit again
        return True


_Part = tuple[Callable[[], Any], Callable[[Any], object]]


def _folder() -> _Part:
    def read() -> str | None:
        with suppress(OSError):  # the folder was removed
            return os.getcwd()
        return None

    return read, os.chdir


def _umask() -> _Part:
    def read() -> int:
        mask = os.umask(0o077)
        os.umask(mask)
        return mask

    return read, os.umask


def _mask() -> list[_Part]:
    if sys.platform == "win32":
        return []
    change = signal.pthread_sigmask
    return [(partial(change, signal.SIG_BLOCK, ()), partial(change, signal.SIG_SETMASK))]


def _timeout() -> _Part:
    return socket.getdefaulttimeout, socket.setdefaulttimeout


def _streams() -> list[_Part]:
    names = ("stdin", "stdout", "stderr")
    return [(partial(getattr, sys, name), partial(setattr, sys, name)) for name in names]


def _handlers() -> list[_Part]:
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    return [(partial(signal.getsignal, n), partial(signal.signal, n)) for n in numbers]


def _limits() -> list[_Part]:
    if sys.platform == "win32":
        return []
    numbers = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    return [(partial(resource.getrlimit, n), partial(resource.setrlimit, n)) for n in {*numbers}]


def _spare(fd: int) -> int:
    try:
        return os.dup(fd)
    except OSError:
        return os.open(os.devnull, os.O_RDWR)


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino
