"""Soft time limits: an exception raised inside a function that runs too long."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..exceptions import SoftTimeLimitExceeded
from ..support.interruption import Interruption


def call_within(
    seconds: float, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Return what `function` returns; after `seconds`, raise SoftTimeLimitExceeded inside it.

    In the main thread that is done by SIGALRM, where the system has it, which also interrupts a
    blocking call. In any other thread the exception comes between two steps of Python code: a
    blocking call is not interrupted.
    """
    import signal  # takes 0.5 ms; workers have it already

    if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
        return _by_alarm(seconds, function, args, kwargs)
    return _by_exception(seconds, function, args, kwargs)


def _by_alarm(
    seconds: float, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    import signal

    running = True

    def interrupt(number: int, frame: object) -> None:
        if running:
            raise SoftTimeLimitExceeded(seconds)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return function(*args, **kwargs)
        finally:
            # The alarm may go off until here, and then the task has not ended in time. After
            # this line it has no effect: a task has either ended or been interrupted, never both.
            running = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _by_exception(
    seconds: float, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    limit = Interruption(SoftTimeLimitExceeded)
    timer = threading.Timer(seconds, limit.strike)
    timer.daemon = True
    timer.start()
    try:
        return limit.call(function, *args, **kwargs)
    finally:
        timer.cancel()
