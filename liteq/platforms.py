"""Signals of the system by name, and more that programs use of Celery's `celery.platforms`."""

import errno
import platform
import signal as _signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any] | int | None

EX_OK = 0
EX_FAILURE = 1
EX_USAGE = 64
EX_UNAVAILABLE = 69
EX_CANTCREAT = 73

C_FORCE_ROOT = False
"""Programs set it for Celery, which refuses to run pickles as root. It changes nothing here."""

IS_WINDOWS: bool = sys.platform == "win32"
IS_macOS: bool = sys.platform == "darwin"
SYSTEM: str = platform.system()


class Signals:
    """The signals of this system, by names such as "INT" or "SIGINT".

    `signals["TERM"] = handler` installs one, `signals["TERM"]` is the one installed.
    """

    ignored = _signal.SIG_IGN
    default = _signal.SIG_DFL

    def supported(self, name: str) -> bool:
        """Return whether this system has the signal."""
        return isinstance(getattr(_signal, _full(name), None), int)

    def signum(self, name: str | int) -> int:
        """Return the number of a signal. Raises AttributeError when this system has none such."""
        return name if isinstance(name, int) else int(getattr(_signal, _full(name)))

    def __getitem__(self, name: str) -> Handler:
        return _signal.getsignal(self.signum(name))

    def __setitem__(self, name: str, handler: Handler) -> None:
        """Install a handler. Does nothing for a signal that this system lacks, and outside of the
        main thread, which alone can do it."""
        try:
            _signal.signal(self.signum(name), handler)
        except (AttributeError, ValueError):
            pass

    def ignore(self, *names: str) -> None:
        """Ignore these signals."""
        for name in names:
            self[name] = _signal.SIG_IGN

    def reset(self, *names: str) -> None:
        """Give these signals the system's handling."""
        for name in names:
            self[name] = _signal.SIG_DFL

    def update(self, handlers: Mapping[str, Handler] | None = None, **more: Handler) -> None:
        """Install several handlers."""
        for name, handler in {**(handlers or {}), **more}.items():
            self[name] = handler

    def arm_alarm(self, seconds: float) -> None:
        """Send this process ALRM in `seconds`. Does nothing where there is no such timer."""
        if hasattr(_signal, "setitimer"):
            _signal.setitimer(_signal.ITIMER_REAL, seconds)

    def reset_alarm(self) -> None:
        """Undo `arm_alarm`."""
        self.arm_alarm(0)


def _full(name: str) -> str:
    return name if name.startswith("SIG") else f"SIG{name}"


signals: Signals = Signals()


def signal_name(signum: int) -> str:
    """Return the name of a signal, without SIG."""
    return _signal.Signals(signum).name[3:]


@contextmanager
def ignore_errno(
    *errnos: int | str, types: tuple[type[Exception], ...] = (OSError,)
) -> Iterator[None]:
    """Ignore errors of the system in the block that have one of these numbers, or names.

    `types`: the errors that may be ignored.
    """
    numbers = [getattr(errno, each) if isinstance(each, str) else each for each in errnos]
    try:
        yield
    except types as exc:
        if getattr(exc, "errno", None) not in numbers:
            raise


def isatty(fh: Any) -> bool:
    """Return whether `fh` is a terminal."""
    try:
        return bool(fh.isatty())
    except AttributeError:
        return False


def set_process_title(progname: str, info: str | None = None) -> str:
    """Name this process in `ps`, and return the name.

    As in Celery, nothing is shown where the package setproctitle is not installed.
    """
    title = f"[{progname}]" if info is None else f"[{progname}] {info}"
    try:
        setproctitle = import_module("setproctitle")
    except ImportError:
        return title
    setproctitle.setproctitle(title)
    return title


def pyimplementation() -> str:
    """Return the name of this implementation of Python."""
    return platform.python_implementation()
