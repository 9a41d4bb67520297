"""Coroutines of tasks: each thread that runs some has one event loop for them, one at a time.

The loop stays from task to task, so that what belongs to it, such as a pool of connections, does
too. It is closed when the thread, or the process, ends.
"""

import atexit
import os
import sys
import threading
from collections.abc import Coroutine, Generator
from contextlib import suppress
from contextvars import copy_context
from functools import cache
from types import CoroutineType, coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ..exceptions import SoftTimeLimitExceeded

if TYPE_CHECKING:
    pass

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
        work = _within(work, soft_limit)
    return _own_loop().runner.run(work, context=copy_context())


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


# soft time limits


async def _within(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """Return what `work` returns; after `seconds`, raise SoftTimeLimitExceeded in it."""
    from asyncio import current_task, get_running_loop

    task = current_task()
    assert task is not None
    limit = _SoftLimit(seconds)
    timer = get_running_loop().call_later(seconds, limit.strike, task)
    try:
        return await limit.drive(work)
    except limit.kind as exc:
        # Outside of here nobody knows that class, and asyncio would take the task for cancelled.
        raise SoftTimeLimitExceeded(*exc.args).with_traceback(exc.__traceback__) from None
    finally:
        timer.cancel()


class _SoftLimit:
    """A soft time limit of one coroutine."""

    def __init__(self, seconds: float) -> None:
        self.kind = _interruption()
        self._seconds = seconds
        self._struck = False

    def strike(self, task: Any) -> None:
        """End the wait of `task`, which runs the coroutine: cancel it."""
        self._struck = True
        task.cancel()

    @coroutine
    def drive(self, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """Return what `work` returns; raise the error of the limit where asyncio cancels it."""
        from asyncio import CancelledError, current_task

        step: Any = work.send
        argument: Any = None
        while True:
            try:
                waits_for = step(argument)
            except StopIteration as end:
                value: T = end.value
                return value
            try:
                step, argument = work.send, (yield waits_for)
            except CancelledError as exc:
                step, argument = work.throw, exc
                if self._struck:
                    self._struck = False  # another cancellation is none of ours
                    argument = self.kind(self._seconds)
                    task = current_task()
                    if task is not None:
                        task.uncancel()
            except BaseException as exc:  # noqa: BLE001 - it is raised in the coroutine
                step, argument = work.throw, exc


@cache
def _interruption() -> type[SoftTimeLimitExceeded]:
    """Return the class of the error that a soft time limit raises in a coroutine.

    The parts of asyncio, such as task groups, take it for the cancellation that it is.
    """
    from asyncio import CancelledError

    name, base = SoftTimeLimitExceeded.__name__, SoftTimeLimitExceeded
    module = {"__module__": base.__module__}  # so that tracebacks show the name that users know
    return type(name, (base, CancelledError), module)
