"""Coroutines of tasks: each thread that runs some has one event loop for them, one at a time.

The loop stays from task to task, so that what belongs to it, such as a pool of connections, does
too. It is closed when the thread, or the process, ends.
"""

import atexit
import os
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

T = TypeVar("T")

_ASYNC = 0x80  # a flag of code objects

COROUTINE = CoroutineType
"""What a call of an `async def` function returns: `value.__class__ is COROUTINE`."""


class _Loop:
    """The event loop of one thread."""

    def __init__(self) -> None:
        from asyncio import Runner  # 50 ms, which tasks without coroutines do not pay

        self.pid = os.getpid()
        self.runner: Runner = Runner()

    def close(self) -> None:
        """End what is left in the loop, its asynchronous generators too, and close it."""
        if self.pid == os.getpid():  # in a forked process it is the parent's
            with suppress(Exception):  # what ends with it may do anything
                self.runner.close()

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self.close()


_local = threading.local()


def is_async(function: Any) -> bool:
    """Return whether `function`, or the function of a task, is made by `async def`."""
    function = getattr(function, "run", function)  # of a task
    while hasattr(function, "func"):  # a `functools.partial`
        function = function.func
    return bool(getattr(getattr(function, "__code__", None), "co_flags", 0) & _ASYNC)


def run_coroutine(work: Coroutine[Any, Any, T], soft_limit: float | None = None) -> T:
    """Run `work` in the event loop of this thread to its end; return what it returns.

    It sees the context variables of the caller. After `soft_limit` seconds it is cancelled, by a
    SoftTimeLimitExceeded that is raised where it waits. Where a loop runs in this thread already,
    another thread runs it, for which this one waits.
    """
    from asyncio import _get_running_loop

    if _get_running_loop() is not None:
        return _in_another_thread(work, soft_limit)
    if soft_limit is not None:
        from .driving import Driver, within

        work = within(work, soft_limit, Driver())
    return _own_loop().runner.run(work, context=copy_context())


def loop_of_thread() -> "AbstractEventLoop":
    """Return the event loop of this thread, which `run_coroutine` uses too; see `close_loop`."""
    return _own_loop().runner.get_loop()


def value_of(value: Any) -> Any:
    """Return `value`, what a call returned; of a coroutine, what it returns."""
    return run_coroutine(value) if value.__class__ is COROUTINE else value


def close_loop() -> None:
    """Close the event loop of this thread, if it has one; the next coroutine opens another."""
    loop: _Loop | None = _local.__dict__.pop("loop", None)
    if loop is not None:
        loop.close()


def _own_loop() -> _Loop:
    loop: _Loop | None = getattr(_local, "loop", None)
    if loop is None or loop.pid != os.getpid():
        loop = _local.loop = _Loop()
        if threading.current_thread() is threading.main_thread():
            atexit.unregister(close_loop)
            atexit.register(close_loop)
    return loop


def _in_another_thread(work: Coroutine[Any, Any, T], soft_limit: float | None) -> T:
    from concurrent.futures import ThreadPoolExecutor

    def run() -> T:
        try:
            return run_coroutine(work, soft_limit)
        finally:
            close_loop()

    with ThreadPoolExecutor(1, "liteq-coroutine") as executor:
        return executor.submit(copy_context().run, run).result()
