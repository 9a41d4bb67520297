"""What a caller holds of a task that was sent: `AsyncResult`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from .. import states
from ..model.message import Attempt, Record
from ..states import Phase
from .app import App, get_current_app
from .backend import Backend, state_of
from .base import OnInterval, ResultBase
from .blocking import assert_will_not_block
from .waiting import leaves_before, refresh_and_throw, required_before, wait_for

R = TypeVar("R")
Then = tuple[Callable[[Any], object], Callable[[BaseException], object] | None]


class AsyncResult(ResultBase, Generic[R]):
    """The result of a task, wherever and whenever it runs: all it needs is the id.

    An id that the store does not know is PENDING; `exists()` tells.
    """

    __slots__ = ("__weakref__", "_app", "_record", "_then", "_value", "ignored")

    id: str
    ignored: bool

    _app: App | None
    _record: Record | None  # once it is final
    _then: list[Then] | None
    _value: tuple[Any] | None  # what `result` answered then, decoded

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
        self._then = None

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

        `timeout`: seconds; TimeoutError when they are over. An exception of the task is raised,
        or with `propagate=False` returned. `interval`: seconds between two polls of the store,
        should a notification be lost. `callback(id, value)` is called with the value,
        `on_interval()` after each poll. With `follow_parents` the exception of a task that comes
        before this one is raised as well. A result that is ignored is None at once. `no_ack` and
        `on_message` do nothing.

        Raises RuntimeError inside a task, unless `disable_sync_subtasks=False`.
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

    def _wait(
        self,
        before: Sequence[Any],
        timeout: float | None,
        interval: float,
        on_interval: OnInterval | None,
        propagate: bool,
    ) -> None:
        looks = wait_for(
            [self],
            before,
            timeout=timeout,
            interval=interval,
            on_interval=on_interval,
            propagate=propagate,
        )
        for _ in looks:
            pass

    def then(
        self,
        callback: Callable[["AsyncResult[R]"], object],
        on_error: Callable[[BaseException], object] | None = None,
        weak: bool = False,
    ) -> "AsyncResult[R]":
        """Have `callback(result)` called as soon as this object learns that the task has finished.

        It learns that by `get`, `ready` and all else that looks; nothing looks by itself.
        `on_error` is called with what the callback raises. `weak` does nothing.
        """
        if self._record is None:
            self._then = [*(self._then or ()), (callback, on_error)]
        else:
            _call(callback, on_error, self)
        return self

    def maybe_throw(
        self, propagate: bool = True, callback: Callable[[str, R], object] | None = None
    ) -> R:
        """Raise what the task failed with; if it did not, return its value so far."""
        record = self._look()
        value: Any = None if record is None else self._decoded(record)
        if propagate and record is not None and _wrong(record):
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
        """Drop what is stored of the task and of those before it, if they have finished."""
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

        `wait`: until it has finished, for `timeout` seconds at most; TimeoutError when they are
        over. `connection` does nothing.
        """
        ids = [*(leaf.id for leaf in leaves_before([self]) if not leaf.known), self.id]
        keep = self.app.conf.result_expires or None
        self.backend.broker.cancel(ids, keep, terminate=terminate)
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
    def app(self) -> App:
        """The application; the current one, unless another was given."""
        if self._app is None:
            self._app = get_current_app()
        return self._app

    @property
    def backend(self) -> Backend:
        """Where results are read."""
        return self.app.backend

    @property
    def children(self) -> Sequence[ResultBase]:
        """Results of what ran, or is to run, when this one had finished: callbacks, the next step
        of its chain, the body of its chord. None before that."""
        record = self._look()
        if record is None or not record.phase.final:
            return []
        from .children import children_of  # rarely asked for

        return children_of(self, record)

    def leaves(self) -> Iterator["AsyncResult[Any]"]:
        """Itself: it is the result of a single task."""
        yield self

    def init_args(self) -> tuple[Any, ...]:
        """See `ResultBase`."""
        return self.id, None, None, None, None, self.ignored

    @property
    def known(self) -> bool:
        """Whether there is nothing more to refresh of it."""
        return self._record is not None or self.ignored

    @property
    def known_success(self) -> bool:
        """Whether it is known to have finished with a value, or has none. Does not look."""
        if self._record is None:
            return self.ignored
        return self._record.phase is Phase.SUCCEEDED

    @property
    def known_skipped(self) -> bool:
        """Whether it is known to have failed because of what comes before it. Does not look."""
        return self._record is not None and self._record.phase is Phase.SKIPPED

    @property
    def known_failure(self) -> bool:
        """Whether it is known to have finished without a value. Does not look."""
        return self._record is not None and _wrong(self._record)

    def reset(self) -> None:
        """Look again when asked."""
        self._record = self._value = None

    def set_record(self, record: Record) -> None:
        """Learn that it has finished, and how."""
        self._record = record
        callbacks, self._then = self._then, None
        for callback, on_error in callbacks or ():
            _call(callback, on_error, self)

    def _look(self) -> Record | None:
        """What the store knows now; what it knew when the task had finished."""
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
        return f"<{type(self).__name__}: {self.id}>"


def _wrong(record: Record) -> bool:
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
