"""What a caller holds of a task that was sent: `AsyncResult`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from . import states
from .backend import Backend, state_of
from .context import sent_from
from .current import get_current_app
from .exceptions import TimeoutError
from .message import Attempt, Message, Record
from .states import Phase

R = TypeVar("R")

_NESTED = (
    "get() inside a task would wait for another task and hold a slot of the worker meanwhile; with "
    "all slots waiting, nothing runs. Send a follow-up task instead, or say "
    "get(disable_sync_subtasks=False)"
)

_may_join: ContextVar[bool] = ContextVar("liteq_may_join", default=False)


@contextmanager
def allow_join_result() -> Iterator[None]:
    """Let tasks wait for results in this block."""
    token = _may_join.set(True)
    try:
        yield
    finally:
        _may_join.reset(token)


@contextmanager
def denied_join_result() -> Iterator[None]:
    """Let tasks not wait for results in this block: the usual."""
    token = _may_join.set(False)
    try:
        yield
    finally:
        _may_join.reset(token)


def _assert_will_not_block() -> None:
    context = sent_from()
    if context is not None and context.in_worker and not _may_join.get():
        raise RuntimeError(_NESTED)


class AsyncResult(Generic[R]):
    """The result of a task, wherever and whenever it runs: all it needs is the id.

    An id that the store does not know is PENDING; `exists()` tells.
    """

    __slots__ = ("__weakref__", "_app", "_record", "_value", "id", "ignored", "parent")

    _app: Any
    _record: Record | None  # once it is final
    _value: tuple[Any] | None  # what `result` answered then, decoded

    def __init__(
        self,
        id: str,
        backend: Backend | None = None,
        task_name: str | None = None,
        app: Any = None,
        parent: "AsyncResult[Any] | None" = None,
        *,
        ignored: bool = False,
    ) -> None:
        self.id = id
        self.parent = parent
        self.ignored = ignored
        self._app = app
        self._record = None
        self._value = None

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
        on_interval: Callable[[], object] | None = None,
        disable_sync_subtasks: bool = True,
    ) -> R:
        """Wait for the task to finish and return its value.

        `timeout`: seconds; TimeoutError when they are over. An exception of the task is raised,
        or with `propagate=False` returned. `interval`: seconds between two looks, should no bell
        ring. `callback(id, value)` is called with the value, `on_interval()` after each look.
        With `follow_parents` the exception of a task that comes before this one is raised as
        well. A result that is ignored is None at once. `no_ack` and `on_message` do nothing.

        Raises RuntimeError inside a task, unless `disable_sync_subtasks=False`.
        """
        if self.ignored:
            return None  # type: ignore[return-value]
        if self._record is None:
            if disable_sync_subtasks:
                _assert_will_not_block()
            self._wait(timeout, interval, on_interval, propagate and follow_parents)
        return self.maybe_throw(propagate, callback)

    wait = get

    def _wait(
        self,
        timeout: float | None,
        interval: float,
        on_interval: Callable[[], object] | None,
        follow_parents: bool,
    ) -> None:
        def on_look() -> None:
            if follow_parents:
                self._throw_of_parents()
            if on_interval is not None:
                on_interval()

        watching = on_interval is not None or (follow_parents and self.parent is not None)
        found = self.backend.wait(self.id, timeout, interval, on_look if watching else None)
        if found is None or not found.phase.final:
            hint = "" if found else " (the store does not know it)"
            raise TimeoutError(f"{self.id} is {state_of(found)} after {timeout} seconds{hint}")
        self._record = found

    def _throw_of_parents(self) -> None:
        node = self.parent
        while node is not None:
            node.maybe_throw()
            node = node.parent

    def maybe_throw(
        self, propagate: bool = True, callback: Callable[[str, R], object] | None = None
    ) -> R:
        """Raise what the task failed with; if it did not, return its value so far."""
        record = self._look()
        value: Any = None if record is None else self._decoded(record)
        if propagate and record is not None and _went_wrong(record):
            raise value
        if callback is not None:
            callback(self.id, value)
        return value  # type: ignore[no-any-return]

    maybe_reraise = maybe_throw

    # looking

    @property
    def state(self) -> str:
        """PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED, or what the task reported."""
        return state_of(self._look())

    status = state

    @property
    def result(self) -> Any:
        """The value, the exception of a task that failed, or what it reported of itself."""
        record = self._look()
        return None if record is None or self.ignored else self._decoded(record)

    info = result

    @property
    def traceback(self) -> str | None:
        """The traceback of a task that failed, as text."""
        record = self._look()
        return record and record.traceback

    def ready(self) -> bool:
        """Whether the task has finished, in whatever way."""
        record = self._look()
        return record is not None and record.phase.final

    def successful(self) -> bool:
        """Whether the task finished without an error."""
        return self.ready() and self.state == states.SUCCESS

    def failed(self) -> bool:
        """Whether the task finished with an error. One that was revoked did not fail."""
        return self.ready() and self.state == states.FAILURE

    def exists(self) -> bool:
        """Whether the store knows the task. Unknown ids are PENDING, as in Celery."""
        return self._look() is not None

    @property
    def date_done(self) -> datetime | None:
        """When it finished (UTC)."""
        record = self._look()
        moment = record and record.finished
        return None if moment is None else datetime.fromtimestamp(moment, UTC)

    @property
    def name(self) -> str | None:
        """The name of the task."""
        record = self._look()
        return record and record.message.task

    @property
    def args(self) -> Sequence[Any] | None:
        """The arguments it was sent with."""
        record = self._look()
        return record and self.backend.arguments(record)[0]

    @property
    def kwargs(self) -> Mapping[str, Any] | None:
        """The keyword arguments it was sent with."""
        record = self._look()
        return record and self.backend.arguments(record)[1]

    @property
    def queue(self) -> str | None:
        """The queue it was sent to."""
        record = self._look()
        return record and record.message.queue

    @property
    def worker(self) -> str | None:
        """Who runs it, or ran it last."""
        record = self._look()
        return record and record.worker

    @property
    def retries(self) -> int | None:
        """How often it was tried again."""
        record = self._look()
        return record and record.message.retries

    # acting

    def forget(self) -> None:
        """Drop what is stored of the task, if it has finished."""
        self._record = self._value = None
        if self.parent is not None:
            self.parent.forget()
        self.backend.broker.forget([self.id])

    def revoke(
        self,
        connection: object = None,
        terminate: bool = False,
        signal: object = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Revoke the task: see `Control.revoke`.

        `wait`: until it has finished, for `timeout` seconds at most; TimeoutError when they are
        over. `connection` does nothing.
        """
        self.app.control.revoke(self.id, terminate=terminate, signal=signal)
        if wait:
            self.get(timeout, propagate=False)

    def attempts(self) -> list[Attempt]:
        """Every start of the task, oldest first: when, by whom, and how it ended."""
        return self.backend.broker.attempts(self.id)

    # itself

    @property
    def task_id(self) -> str:
        """The id, by Celery's other name."""
        return self.id

    @property
    def app(self) -> Any:
        """The application; the current one, unless another was given."""
        if self._app is None:
            self._app = get_current_app()
        return self._app

    @property
    def backend(self) -> Backend:
        """Where results are read."""
        backend: Backend = self.app.backend
        return backend

    @property
    def children(self) -> list["AsyncResult[Any]"]:
        """Results of the tasks that this one sent. Not recorded yet."""
        return []

    def as_tuple(self) -> tuple[Any, ...]:
        """The ids of this result and its parents, nested as Celery has them."""
        return (self.id, self.parent and self.parent.as_tuple()), None

    def as_list(self) -> list[str]:
        """The ids of this result and its parents."""
        return [self.id, *(self.parent.as_list() if self.parent else ())]

    def _look(self) -> Record | None:
        """What the store knows now; what it knew when the task had finished."""
        if self._record is not None:
            return self._record
        record = self.backend.record(self.id)
        if record is not None and record.phase.final:
            self._record = record
        return record

    def _decoded(self, record: Record) -> Any:
        if record is not self._record:
            return self.backend.value(record)
        if self._value is None:
            self._value = (self.backend.value(record),)
        return self._value[0]

    def __eq__(self, other: object) -> bool:
        return self.id == (other.id if isinstance(other, AsyncResult) else other)

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.id}>"

    def __reduce__(self) -> Any:
        return _remade, (self.id, self.parent, self.ignored)


class EagerResult(AsyncResult[R]):
    """The result of a task that ran where it was called. The store knows nothing of it."""

    __slots__ = ()

    def __init__(
        self,
        id: str,
        ret_value: Any,
        state: str,
        traceback: str | None = None,
        name: str | None = None,
        app: Any = None,
    ) -> None:
        super().__init__(id, app=app)
        self._record = _record_of_eager(id, state, traceback, name or "")
        self._value = (ret_value,)

    @property
    def args(self) -> None:
        """Not kept."""

    @property
    def kwargs(self) -> None:
        """Not kept."""

    def forget(self) -> None:
        """There is nothing stored to drop."""

    def revoke(self, *_: object, **__: object) -> None:
        """It has run already."""

    def __reduce__(self) -> Any:
        return EagerResult, (self.id, self.result, self.state, self.traceback, self.name)


_EAGER_PHASES = {states.FAILURE: Phase.FAILED, states.REVOKED: Phase.CANCELLED}


def _record_of_eager(id: str, state: str, traceback: str | None, name: str) -> Record:
    return Record(
        message=Message(id, name, payload=b"", serializer="", queue=""),
        phase=_EAGER_PHASES.get(state, Phase.SUCCEEDED),
        token=0,
        lost=0,
        worker=None,
        created=0.0,
        started=None,
        finished=None,
        keep_until=None,
        result=None,
        result_serializer=None,
        traceback=traceback,
        reported=None,
    )


def result_from_tuple(found: Any, app: Any = None) -> AsyncResult[Any]:
    """The result that `as_tuple` was asked of; a result is answered as it is."""
    if isinstance(found, AsyncResult):
        return found
    (id, parent), nodes = found
    if nodes is not None:
        raise NotImplementedError("results of groups cannot be restored yet")
    return AsyncResult(id, app=app, parent=parent and result_from_tuple(parent, app))


def _remade(id: str, parent: AsyncResult[Any] | None, ignored: bool) -> AsyncResult[Any]:
    # Pickled results know no application: whoever reads them has one.
    return AsyncResult(id, parent=parent, ignored=ignored)


def _went_wrong(record: Record) -> bool:
    return record.phase.final and record.phase is not Phase.SUCCEEDED
