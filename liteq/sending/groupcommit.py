"""Sends of coroutines: one thread stores in one transaction what has gathered meanwhile.

An event loop must not wait for the store, and a web server whose requests send a task each would
pay for a commit each.
"""

import os
import threading
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..exceptions import BrokerRefused
from ..model.message import Message
from ..support.loopanswers import answer
from .options import NO_OPTIONS, Options

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

T = TypeVar("T")

_MOST = 1000  # messages of one commit
_IDLE = 5.0  # seconds without work, after which the thread ends
_DURABLE: Options = {"durable": True}

Store = Callable[[Sequence[Message], Options], object]
"""Stores messages in one transaction; raises BrokerError. None of them has a unique key."""


class _Job(NamedTuple):
    """A call of one coroutine: of `function`, or to store `messages` with those of others."""

    loop: "AbstractEventLoop"
    future: "Future[Any]"
    function: Callable[[], Any] | None
    messages: Sequence[Message] = ()
    durable: bool = False


class GroupCommits:
    """The thread that sends for coroutines, of any loops; `store` stores messages for it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._jobs: list[_Job] = []
        self._thread: threading.Thread | None = None

    async def publish(self, messages: Sequence[Message], options: Options) -> None:
        """Store `messages`, all or none, with those of other coroutines; raises BrokerError.

        A caller that is cancelled does not know whether they are stored.
        """
        if "retry" in options or "retry_policy" in options:
            await self.call(partial(self._store, messages, options))
            return
        loop, future = _new_future()
        await self._do(_Job(loop, future, None, messages, bool(options.get("durable"))))

    async def call(self, function: Callable[[], T]) -> T:
        """Return what `function` returns in the thread, with the caller's context variables."""
        loop, future = _new_future()
        context: Context = copy_context()
        result: T = await self._do(_Job(loop, future, partial(context.run, function)))
        return result

    def _do(self, job: _Job) -> "Future[Any]":
        if self._pid != os.getpid():  # after a fork no other thread is left
            self._reset()
        with self._changed:
            self._jobs.append(job)
            if self._thread is None:
                name = "liteq-sends"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return job.future

    # in the thread

    def _run(self) -> None:
        while jobs := self._take():
            batch: list[_Job] = []
            for job in jobs:
                if job.future.cancelled():
                    continue
                if job.function is not None:
                    _call(job, job.function)
                    continue
                batch.append(job)
                if sum(len(each.messages) for each in batch) >= _MOST:
                    self._commit(batch)
                    batch = []
            self._commit(batch)

    def _take(self) -> list[_Job]:
        """Return what has gathered; wait if that is nothing. Nothing is the end of the thread."""
        with self._changed:
            if not self._jobs:
                self._changed.wait_for(lambda: self._jobs, _IDLE)
            if not self._jobs:
                self._thread = None
            jobs, self._jobs = self._jobs, []
            return jobs

    def _commit(self, jobs: Sequence[_Job]) -> None:
        """Store the messages of all `jobs`, or if one of them is refused, each for itself."""
        if not jobs:
            return
        messages = [message for job in jobs for message in job.messages]
        durable = any(job.durable for job in jobs)
        try:
            self._store(messages, _DURABLE if durable else NO_OPTIONS)
        except BaseException as exc:  # noqa: BLE001 - raised again in the callers
            if isinstance(exc, BrokerRefused) and len(jobs) > 1:
                for job in jobs:
                    self._commit((job,))
            else:
                _answer_all(jobs, exc)
        else:
            _answer_all(jobs, None)


def _new_future() -> "tuple[AbstractEventLoop, Future[Any]]":
    from asyncio import get_running_loop  # 50 ms, which programs without coroutines do not pay

    loop = get_running_loop()
    return loop, loop.create_future()


def _call(job: _Job, function: Callable[[], Any]) -> None:
    try:
        value = function()
    except BaseException as exc:  # noqa: BLE001 - raised again in the caller
        answer(job.loop, [partial(_fail, job.future, exc)])
    else:
        answer(job.loop, [partial(_succeed, job.future, value)])


def _answer_all(jobs: Sequence[_Job], error: BaseException | None) -> None:
    for loop in {id(job.loop): job.loop for job in jobs}.values():
        own = [job.future for job in jobs if job.loop is loop]
        if error is None:
            answer(loop, [partial(_succeed, future, None) for future in own])
        else:
            answer(loop, [partial(_fail, future, _own(error)) for future in own])


def _own(error: BaseException) -> BaseException:
    """Return an error like `error` for one caller, which adds its own traceback."""
    try:
        made = type(error)(*error.args)
    except Exception:  # noqa: BLE001 - it takes other arguments
        return error
    made.__cause__ = error.__cause__
    return made


def _succeed(future: "Future[Any]", value: Any) -> None:
    if not future.done():  # its caller was cancelled
        future.set_result(value)


def _fail(future: "Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
