"""The driving of a coroutine, so that it can be interrupted where it waits."""

import asyncio
from collections.abc import Coroutine, Generator
from functools import cache
from types import coroutine
from typing import Any, TypeVar

from ..exceptions import SoftTimeLimitExceeded

T = TypeVar("T")

_left_behind: list[Any] = []  # those that wait even when they are closed: or it would be done again


class Driver:
    """Drives one coroutine, in the task of asyncio that awaits `drive`.

    All that is called from elsewhere has to be called in the thread of the loop.
    """

    def __init__(self) -> None:
        self.ended_as: str | None = None  # the kind of outcome of a coroutine that was told to end
        self._task: asyncio.Task[Any] | None = None
        self._error: BaseException | None = None  # to be raised instead of the next cancellation
        self._abandoned = False

    def interrupt(self, error: BaseException) -> None:
        """Raise `error`, a cancellation for asyncio, where the coroutine waits."""
        if self._task is not None and self.ended_as is None:
            self._error = error
            self._task.cancel()

    def end(self, kind: str) -> None:
        """End the coroutine by a cancellation: its outcome will be of this kind."""
        if self.ended_as is None:
            self.ended_as = kind
            if self._task is not None:
                self._task.cancel()

    def abandon(self) -> None:
        """Go on without a coroutine that has caught its cancellation, and still waits."""
        if self._task is not None:
            self._abandoned = True
            self._task.cancel()

    @coroutine
    def drive(self, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """Return what `work` returns."""
        if self.ended_as is not None:
            work.close()
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        step: Any = work.send
        argument: Any = None
        try:
            while True:
                try:
                    waits_for = step(argument)
                except StopIteration as end:
                    value: T = end.value
                    return value
                try:
                    step, argument = work.send, (yield waits_for)
                except asyncio.CancelledError as exc:
                    step, argument = work.throw, self._cancelled(work, exc)
                except BaseException as exc:  # noqa: BLE001 - it is raised in the coroutine
                    step, argument = work.throw, exc
        finally:
            self._task = None

    def _cancelled(self, work: Coroutine[Any, Any, Any], exc: BaseException) -> BaseException:
        """Return what is raised in `work`, which is cancelled where it waits."""
        if self._abandoned:
            try:
                work.close()
            except BaseException:  # noqa: BLE001 - what it does about its end is its own affair
                _left_behind.append(work)
            raise exc
        error, self._error = self._error, None  # another cancellation is none of ours
        if error is None or self.ended_as is not None:
            return exc
        if self._task is not None:
            self._task.uncancel()
        return error


async def within(work: Coroutine[Any, Any, T], seconds: float, driver: Driver) -> T:
    """Return what `work` returns; after `seconds`, raise SoftTimeLimitExceeded in it."""
    limit = _interruption()
    timer = asyncio.get_running_loop().call_later(seconds, driver.interrupt, limit(seconds))
    try:
        return await driver.drive(work)
    except limit as exc:
        # Outside of here nobody knows that class, and asyncio would take the task for cancelled.
        raise SoftTimeLimitExceeded(*exc.args).with_traceback(exc.__traceback__) from None
    finally:
        timer.cancel()


@cache
def _interruption() -> type[SoftTimeLimitExceeded]:
    """Return the class of the error that a soft time limit raises in a coroutine.

    The parts of asyncio, such as task groups, take it for the cancellation that it is.
    """
    name, base = SoftTimeLimitExceeded.__name__, SoftTimeLimitExceeded
    module = {"__module__": base.__module__}  # so that tracebacks show the name that users know
    return type(name, (base, asyncio.CancelledError), module)
