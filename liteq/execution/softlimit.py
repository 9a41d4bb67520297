"""Soft time limits: an exception raised inside a function that runs too long."""

import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..exceptions import SoftTimeLimitExceeded


def call_within(
    seconds: float, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """What `function` returns; SoftTimeLimitExceeded is raised inside it after `seconds`.

    In the main thread by SIGALRM, where there is one, which also ends a call that waits. In any
    other thread between two steps of Python code: a call that waits is not ended before it
    returns.
    """
    if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
        return _by_alarm(seconds, function, args, kwargs)
    return _by_exception(seconds, function, args, kwargs)


def _by_alarm(
    seconds: float, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    running = True

    def strike(number: int, frame: object) -> None:
        if running:
            raise SoftTimeLimitExceeded(seconds)

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return function(*args, **kwargs)
        finally:
            # The wakeup may strike up to here, and then the task has not ended in time. After
            # this line it cannot: a task has either ended or been ended, never both.
            running = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _by_exception(
    seconds: float, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    import ctypes  # 2 MB: only for who needs it

    thread = ctypes.c_ulong(threading.get_ident())
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    lock = threading.Lock()
    running = True

    def strike() -> None:
        with lock:
            if running:
                raise_in(thread, ctypes.py_object(SoftTimeLimitExceeded))

    timer = threading.Timer(seconds, strike)
    timer.daemon = True
    timer.start()
    try:
        try:
            return function(*args, **kwargs)
        finally:
            with lock:
                running = False
            raise_in(thread, None)  # one that is on its way and has not arrived
    finally:
        timer.cancel()
