"""The result of one task: `AsyncResult`."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, Self, TypeVar

from .. import states
from ..model.message import Attempt, Message, Record
from ..states import Phase
from .app import App, get_current_app
from .awaiting import arrivals, in_thread
from .awaiting import refresh_and_throw as refresh_and_throw_in_thread
from .backend import Backend, state_of
from .base import OnInterval, ResultBase
from .blocking import assert_will_not_block
from .output import LogLine, log_of
from .steps import StepResult, steps_of
from .waiting import leaves_before, refresh_and_throw, required_before, wait_for

R = TypeVar("R")
Callback = tuple[Callable[[Any], object], Callable[[BaseException], object] | None]
"""A function to call with the result, and one to call with what that raises."""


class AsyncResult(ResultBase, Generic[R]):
    """The result of one task, wherever it runs and whenever; an id is all it needs.

    The state of an id that the store does not know is PENDING; `exists()` is False then.
    """

    __slots__ = ("__weakref__", "_app", "_callbacks", "_duplicate", "_record", "_value", "ignored")

    id: str
    ignored: bool

    _app: App | None
    _record: Record | None  # set once the task has finished
    _callbacks: list[Callback] | None
    _duplicate: bool
    _value: tuple[Any] | None  # the decoded value of that record, in a tuple

    def __init__(
        self,
        id: str,
        backend: Backend | None = None,
        task_name: str | None = None,
        app: App | None = None,
        parent: ResultBase | None = None,
        ignored: bool = False,
    ) -> None:
        self.id = id
        self.parent = parent
        self.ignored = ignored
        self._app = app
        self._record = None
        self._value = None
        self._callbacks = None

    @classmethod
    def of_call(cls, message: Message, app: App, *, sent: bool) -> Self:
        """Return the result of a call under an id of its own; not `sent`: it is a duplicate."""
        result = cls(message.id, app=app, ignored=sent and message.ignore_result)
        result.duplicate = not sent
        return result

    # waiting

    def get(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        no_ack: bool = True,
        follow_parents: bool = True,
        callback: Callable[[str, R], object] | None = None,
        on_message: Callable[..., object] | None = None,
        on_interval: OnInterval | None = None,
        disable_sync_subtasks: bool = True,
    ) -> R:
        """Wait for the task to finish and return its value.

        `timeout`: seconds to wait at most. An exception of the task is raised, or with
        `propagate=False` returned. `interval`: seconds between two polls of the store, in case a
        notification is lost. `callback(id, value)` is called with the value, `on_interval()`
        after each poll. With `follow_parents` the exception of a task that comes before this one
        is raised as well. With `ignore_result` the value is None, at once. `no_ack` and
        `on_message` do nothing.

        Raises TimeoutError when `timeout` is over, and RuntimeError inside a task unless
        `disable_sync_subtasks=False`.
        """
        if self.ignored:
            return None  # type: ignore[return-value]
        before = required_before([self]) if propagate and follow_parents else []
        if self._record is None:
            if disable_sync_subtasks:
                assert_will_not_block()
            self._wait(before, timeout, interval, on_interval, propagate)
        elif self.known_skipped:
            refresh_and_throw(before)
        return self.maybe_throw(propagate, callback)

    wait = get

    async def aget(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        follow_parents: bool = True,
        disable_sync_subtasks: bool = True,
    ) -> R:
        """Wait for the task to finish and return its value, in a coroutine; as `get` does.

        `await result` is the same, without a timeout. No thread is held meanwhile.
        """
        if self.ignored:
            return None  # type: ignore[return-value]
        before = required_before([self]) if propagate and follow_parents else []
        if self._record is None:
            if disable_sync_subtasks:
                assert_will_not_block()
            async for _ in arrivals([self], before, timeout=timeout, propagate=propagate):
                pass
        elif self.known_skipped:
            await refresh_and_throw_in_thread(before)
        return self.maybe_throw(propagate)

    def __await__(self) -> Generator[Any, Any, R]:
        return self.aget().__await__()

    def _wait(
        self,
        before: Sequence[Any],
        timeout: float | None,
        interval: float,
        on_interval: OnInterval | None,
        propagate: bool,
    ) -> None:
        polls = wait_for(
            [self],
            before,
            timeout=timeout,
            interval=interval,
            on_interval=on_interval,
            propagate=propagate,
        )
        for _ in polls:
            pass

    def then(
        self,
        callback: Callable[["AsyncResult[R]"], object],
        on_error: Callable[[BaseException], object] | None = None,
        weak: bool = False,
    ) -> "AsyncResult[R]":
        """Call `callback(result)` as soon as this object finds that the task has finished.

        It finds that in `get`, `ready` and all else that reads the store; nothing reads it in the
        background. `on_error` is called with what the callback raises. `weak` does nothing.
        """
        if self._record is None:
            self._callbacks = [*(self._callbacks or ()), (callback, on_error)]
        else:
            _call(callback, on_error, self)
        return self

    def maybe_throw(
        self, propagate: bool = True, callback: Callable[[str, R], object] | None = None
    ) -> R:
        """Raise the exception of a task that failed; else return its value so far."""
        record = self._fetch()
        value: Any = None if record is None else self._decoded(record)
        if propagate and record is not None and _is_failure(record):
            raise value
        if callback is not None:
            callback(self.id, value)
        return value  # type: ignore[no-any-return]

    maybe_reraise = maybe_throw

    # looking

    @property
    def state(self) -> str:
        """Return the state: PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED, or one that the
        task reported."""
        return state_of(self._fetch())

    status = state

    @property
    def result(self) -> Any:
        """Return the value, the exception of a task that failed, or the meta that it reported."""
        record = self._fetch()
        return None if record is None or self.ignored else self._decoded(record)

    info = result

    @property
    def traceback(self) -> str | None:
        """Return the traceback of a task that failed, as text."""
        record = self._fetch()
        return record and record.traceback

    def ready(self) -> bool:
        """Return whether the task has finished: succeeded, failed or revoked."""
        record = self._fetch()
        return record is not None and record.phase.final

    def successful(self) -> bool:
        """Return whether the task finished without an error."""
        return self.ready() and self.state == states.SUCCESS

    def failed(self) -> bool:
        """Return whether the task finished with an error. A revoked one did not fail."""
        return self.ready() and self.state == states.FAILURE

    def exists(self) -> bool:
        """Return whether the store knows the task. Unknown ids are PENDING, as in Celery."""
        return self._fetch() is not None

    @property
    def date_done(self) -> datetime | None:
        """Return the time at which it finished, in UTC; None before that."""
        record = self._fetch()
        seconds = record and record.finished
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    @property
    def name(self) -> str | None:
        """Return the name of the task."""
        record = self._fetch()
        return record and record.message.task

    @property
    def args(self) -> Sequence[Any] | None:
        """Return the arguments that it was sent with."""
        record = self._fetch()
        return record and self.backend.arguments(record)[0]

    @property
    def kwargs(self) -> Mapping[str, Any] | None:
        """Return the keyword arguments that it was sent with."""
        record = self._fetch()
        return record and self.backend.arguments(record)[1]

    @property
    def queue(self) -> str | None:
        """Return the queue that it was sent to."""
        record = self._fetch()
        return record and record.message.queue

    @property
    def worker(self) -> str | None:
        """Return the name of the worker that runs it, or ran it last."""
        record = self._fetch()
        return record and record.worker

    @property
    def retries(self) -> int | None:
        """Return how often it was retried."""
        record = self._fetch()
        return record and record.message.retries

    def steps(self) -> list[StepResult]:
        """Return the durable steps of the task, oldest first."""
        return steps_of(self.backend, self.id)

    def log(self, attempt: int | None = None) -> list[LogLine]:
        """Return what the task has printed and logged, oldest first: of all attempts, or of one."""
        return log_of(self.backend, self.id, attempt)

    async def alog(self, attempt: int | None = None) -> list[LogLine]:
        """Return what `log` returns, in a coroutine."""
        return await in_thread(self.backend, partial(self.log, attempt))

    @property
    def duplicate(self) -> bool:
        """Return whether the call was not sent, as a task of its `task_id` was there already and
        had not finished: then this is the result of that task."""
        # Not set for the other calls, which is nearly all of them.
        return getattr(self, "_duplicate", False)

    @duplicate.setter
    def duplicate(self, duplicate: bool) -> None:
        self._duplicate = duplicate

    # acting

    def forget(self) -> None:
        """Delete the task and those before it in its workflow from the store, if they have
        finished."""
        for result in (*leaves_before([self]), self):
            result.reset()
        self.backend.broker.forget([self.id, *(leaf.id for leaf in leaves_before([self]))])

    def revoke(
        self,
        connection: object = None,
        terminate: bool = False,
        signal: object = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Revoke the task, and those before it in its workflow: see `Control.revoke`.

        Those before it are found in the store, so any process can do so that has the id. `wait`:
        wait until it has finished, for `timeout` seconds at most. `connection` and
        `signal` do nothing.

        Raises TimeoutError when `timeout` is over.
        """
        # What is known here need not be read step by step.
        ids = [*(leaf.id for leaf in leaves_before([self]) if not leaf.known), self.id]
        self.app.control.revoke(ids, terminate=terminate, workflow=True)
        if wait:
            self.get(timeout, propagate=False)

    def attempts(self) -> list[Attempt]:
        """Return all attempts to run the task, oldest first."""
        return self.backend.broker.attempts(self.id)

    # itself

    @property
    def task_id(self) -> str:
        """Return the id, by Celery's other name for it."""
        return self.id

    @property
    def app(self) -> App:
        """Return the application: the one it was made with, else the current one."""
        if self._app is None:
            self._app = get_current_app()
        return self._app

    @property
    def backend(self) -> Backend:
        """Return the backend, which reads results."""
        return self.app.backend

    @property
    def children(self) -> Sequence[ResultBase]:
        """Return the results of the tasks that its end started: callbacks, the next step of its
        chain, the body of its chord. An empty list before it has finished."""
        record = self._fetch()
        if record is None or not record.phase.final:
            return []
        from .children import children_of  # few programs ask for children

        return children_of(self, record)

    def leaves(self) -> Iterator["AsyncResult[Any]"]:
        """Yield itself: it is the result of a single task."""
        yield self

    def init_args(self) -> tuple[Any, ...]:
        """Return the arguments for pickle: see `ResultBase`."""
        backend = task_name = app = parent = None
        return self.id, backend, task_name, app, parent, self.ignored

    @property
    def known(self) -> bool:
        """Return whether it is known how the task ended, or the result is ignored.

        Like the other `known_` properties it does not read the store.
        """
        return self._record is not None or self.ignored

    @property
    def known_success(self) -> bool:
        """Return whether the task is known to have succeeded, or the result is ignored."""
        if self._record is None:
            return self.ignored
        return self._record.phase is Phase.SUCCEEDED

    @property
    def known_skipped(self) -> bool:
        """Return whether the task is known to have been skipped: one before it failed."""
        return self._record is not None and self._record.phase is Phase.SKIPPED

    @property
    def known_failure(self) -> bool:
        """Return whether the task is known to have finished without a value."""
        return self._record is not None and _is_failure(self._record)

    def reset(self) -> None:
        """Read the store again when next asked."""
        self._record = self._value = None

    def set_record(self, record: Record, value: tuple[Any] | None = None) -> None:
        """Take the record of the finished task, and its value if that is decoded already; call
        the callbacks of `then`."""
        self._record, self._value = record, value
        callbacks, self._callbacks = self._callbacks, None
        for callback, on_error in callbacks or ():
            _call(callback, on_error, self)

    def _fetch(self) -> Record | None:
        """Return the record that the store has; of a finished task the one that was read first."""
        if self._record is not None:
            return self._record
        record = self.backend.record(self.id)
        if record is not None and record.phase.final:
            self.set_record(record)
        return record

    def _decoded(self, record: Record) -> Any:
        if record is not self._record:
            return self.backend.value(record)
        if self._value is None:
            self._value = (self.backend.value(record),)
        return self._value[0]

    def __eq__(self, other: object) -> bool:
        return bool(self.id == (other.id if isinstance(other, AsyncResult) else other))

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        # A state that is known already: to look at an object must not read the store.
        state = "" if self._record is None else f" {state_of(self._record)}"
        return f"<{type(self).__name__}: {self.id}{state}>"


def _is_failure(record: Record) -> bool:
    return record.phase.final and record.phase is not Phase.SUCCEEDED


def _call(
    callback: Callable[[Any], object],
    on_error: Callable[[BaseException], object] | None,
    result: Any,
) -> None:
    try:
        callback(result)
    except Exception as exc:
        if on_error is None:
            raise
        on_error(exc)
