"""Waiting in a coroutine for many results at once: as `waiting.py`, without holding a thread."""

import builtins
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..exceptions import BrokerError, TimeoutError
from ..model.message import Record
from ..support.loopanswers import answer
from .backend import Backend
from .blocking import assert_can_be_run
from .poller import Finished
from .waiting import TaskResult, by_id, throw_first, timeout_text

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

T = TypeVar("T")

_LAST_LOOK = 1.0  # seconds that the look at the store may take after a timeout is over

Missing = dict[str, list[TaskResult]]


class CoroutineWait:
    """The wait of one coroutine: the thread that polls fills it, see `poller.Wait`."""

    def __init__(self, ids: Collection[str], *, patient: bool) -> None:
        from asyncio import get_running_loop  # 50 ms, which other programs do not pay

        self.loop: AbstractEventLoop = get_running_loop()
        self.context: Context = copy_context()
        self.ids = ids
        self.patient = patient
        self.abandoned: bool = False
        self._found: list[Finished] = []
        self._error: BaseException | None = None
        self._future: Future[None] | None = None

    def take(self, finished: Finished) -> None:
        self._found.append(finished)
        self._go_on()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._go_on()

    def abandon(self) -> None:
        self.abandoned = True
        self._go_on()

    async def news(self, left: float | None) -> list[Finished]:
        """Return the tasks that have finished since the last call; wait `left` seconds for one.

        Returns none when that time is over, or when no worker is left that could run them.
        """
        if not self._found and self._error is None and not self.abandoned:
            self._future = self.loop.create_future()
            timer = None if left is None else self.loop.call_later(max(left, 0.0), self._go_on)
            try:
                await self._future
            finally:
                self._future = None
                if timer is not None:
                    timer.cancel()
        if self._error is not None:
            raise self._error
        found, self._found = self._found, []
        return found

    def _go_on(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)


async def arrivals(
    wanted: Sequence[TaskResult],
    before: Sequence[TaskResult] = (),
    *,
    timeout: float | None,
    propagate: bool = True,
) -> AsyncIterator[list[TaskResult]]:
    """Wait for the results `wanted` to finish; yield those that did, some at a time.

    With `propagate` the exception of one that fails is raised at once, and that of one of `before`
    as well. Raises TimeoutError as `waiting.wait_for` does.
    """
    if propagate:
        await _throw_first(wanted, before)
        throw_first(before)
    missing = by_id(wanted)
    if not missing:
        return
    assert_can_be_run()
    with _Waiting(wanted[0].backend, missing, by_id(before) if propagate else {}, timeout) as waits:
        while missing:
            done = await waits.next()
            if propagate:
                await _throw_first(done, before)
            if done:
                yield done


class _Waiting:
    """The wait for what is `missing`; the failure of one of `causes` ends it as well."""

    def __init__(
        self, backend: Backend, missing: Missing, causes: Missing, timeout: float | None
    ) -> None:
        self._backend = backend
        self._missing = missing
        self._causes = causes
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._wait = CoroutineWait(dict.fromkeys([*missing, *causes]), patient=timeout is None)

    def __enter__(self) -> Self:
        self._backend.poller.add(self._wait)
        return self

    def __exit__(self, *error: object) -> None:
        if self._missing or self._causes:
            self._backend.poller.leave(self._wait)

    async def next(self) -> list[TaskResult]:
        """Return some of those missing that have finished; none if only others did.

        Raises the exception of a cause that failed, and TimeoutError.
        """
        found = await self._wait.news(self._left())
        if not found:
            found = await _last_look(self._backend, self._missing)
        throw_first(_set(self._causes, found))
        done = _set(self._missing, found)
        left = self._left()
        if not found and (self._wait.abandoned or (left is not None and left <= 0)):
            raise TimeoutError(await _why(self._backend, self._missing, self._timeout))
        return done

    def _left(self) -> float | None:
        return None if self._deadline is None else self._deadline - time.monotonic()


async def _throw_first(done: Sequence[TaskResult], before: Sequence[TaskResult]) -> None:
    """Raise the exception of the first of `done` that failed; of one that was skipped, that of the
    first of `before` that failed."""
    if any(result.known_skipped for result in done):
        await refresh_and_throw(before)
    throw_first(done)


async def refresh_and_throw(before: Sequence[TaskResult]) -> None:
    """Read the store for the results `before`; raise the exception of the first that failed."""
    unknown = by_id(before)
    if unknown:
        backend = before[0].backend
        _set(unknown, await in_thread(backend, partial(_finished, backend, list(unknown))))
    throw_first(before)


async def in_thread(backend: Backend, function: Callable[[], T]) -> T:
    """Return what `function` returns in the thread that polls: it may wait for the store."""
    from asyncio import get_running_loop

    loop = get_running_loop()
    future: Future[T] = loop.create_future()
    context = copy_context()

    def call() -> None:
        try:
            value = context.run(function)
        except BaseException as exc:  # noqa: BLE001 - raised again in the coroutine
            answer(loop, [partial(_fail, future, exc)])
        else:
            answer(loop, [partial(_succeed, future, value)])

    backend.poller.call(call)
    return await future


async def _last_look(backend: Backend, missing: Missing) -> list[Finished]:
    """Return those of `missing` that have finished after all; none if the store is slow to say."""
    try:
        return await _briefly(in_thread(backend, partial(_finished, backend, list(missing)))) or []
    except BrokerError:
        return []


async def _why(backend: Backend, missing: Missing, timeout: float | None) -> str:
    def text() -> str:
        return timeout_text(missing, timeout, backend.embedded.nobody_left())

    try:
        found = await _briefly(in_thread(backend, text))
    except BrokerError as exc:
        found = f"no result within {timeout} seconds, and the store cannot be asked why: {exc}"
    return found or f"no result within {timeout} seconds, and the store does not answer"


async def _briefly(waiting: Any) -> Any:
    from asyncio import wait_for

    try:
        return await wait_for(waiting, _LAST_LOOK)
    except builtins.TimeoutError:
        return None


def _finished(backend: Backend, ids: list[str]) -> list[Finished]:
    return [Finished(record, _value(backend, record)) for record in backend.finished(ids)]


def _value(backend: Backend, record: Record) -> tuple[Any] | None:
    try:
        return (backend.value(record),)
    except Exception:  # noqa: BLE001 - it is decoded once more when it is asked for
        return None


def _set(missing: Missing, found: Sequence[Finished]) -> list[TaskResult]:
    """Give the results in `missing` what was found of them; return those results."""
    done: list[TaskResult] = []
    for record, value in found:
        for result in missing.pop(record.message.id, ()):
            result.set_record(record, value)
            done.append(result)
    return done


def _succeed(future: "Future[T]", value: T) -> None:
    if not future.done():  # its coroutine was cancelled
        future.set_result(value)


def _fail(future: "Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
