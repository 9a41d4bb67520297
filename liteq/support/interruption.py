"""Exceptions that one thread raises in another one, between two steps of its Python code."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Ended(BaseException):
    """The order to a running task to end now: it was revoked, or runs over its hard limit.

    It is no Exception, so that the `except Exception` of a task lets it through.
    """


class Interruption:
    """The means to interrupt a function by `exception`, from another thread than its own.

    A blocking call is not interrupted: the exception comes when it returns.
    """

    def __init__(self, exception: type[BaseException]) -> None:
        self._exception = exception
        self._lock = threading.Lock()
        self._thread: int | None = None  # that the function runs in, while it runs
        self._requested = False
        self.struck: bool = False  # the function was interrupted

    def strike(self) -> None:
        """Raise the exception in the function: when it is called, if that is still to come."""
        with self._lock:
            self._requested = True
            if self._thread is not None and not self.struck:
                self.struck = True
                self._raise_in(self._thread)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `function` returns, which may be interrupted until it does."""
        with self._lock:
            if self._requested:
                self.struck = True
                raise self._exception
            self._thread = threading.get_ident()
        try:
            return function(*args, **kwargs)
        finally:
            with self._lock:
                thread, self._thread = self._thread, None
            if self.struck:  # perhaps the exception was set, and is not raised yet
                # It is raised here, not cleared: in Python 3.11 a thread whose exception was
                # cleared hangs as soon as it is traced, as by a debugger.
                with suppress(self._exception):
                    self._raise_in(thread)
                    while True:
                        pass

    def _raise_in(self, thread: int | None) -> None:
        import ctypes  # 2 MB, so only where it is needed

        assert thread is not None
        exception = ctypes.py_object(self._exception)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception)
