"""Tasks that can be asked to stop while they run: Celery's `celery.contrib.abortable`.

    @app.task(bind=True, base=AbortableTask)
    def count(self):
        while not self.is_aborted():
            ...

    result = count.delay()
    result.abort()

The request is a state in the store, so it reaches a task in any pool and on any machine. Nothing
is ended by force: the task has to look.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, Unpack

from ..result import AsyncResult, EagerResult
from ..sending.call_options import CallOptions
from ..task import Task

P = ParamSpec("P")
R = TypeVar("R")

ABORTED = "ABORTED"
"""The state of a task that was asked to stop, until it has ended."""


class AbortableAsyncResult(AsyncResult[R]):
    """The result of an `AbortableTask`."""

    def is_aborted(self) -> bool:
        """Return whether the task was asked to stop, and has not ended yet."""
        return self.state == ABORTED

    def abort(self) -> None:
        """Ask the task to stop. Does nothing when it has ended."""
        self.app.report(self.id, ABORTED, None)


class AbortableTask(Task[P, R]):
    """A task that can be asked to stop, if its code looks at `is_aborted`."""

    abstract = True

    def AsyncResult(self, task_id: str, **kwargs: Any) -> AbortableAsyncResult[R]:  # noqa: N802
        """Return the result of the call with this id."""
        return AbortableAsyncResult(task_id, app=self.app, **kwargs)

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AbortableAsyncResult[R]:
        """Send it with these arguments; return its result."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> AbortableAsyncResult[R]:
        """Send it with options of this call, see `Task.apply_async`; return its result."""
        sent = super().apply_async(args, kwargs, task_id, **options)
        if isinstance(sent, EagerResult):
            return sent  # type: ignore[return-value] # `task_always_eager`: it has ended
        return self.AsyncResult(sent.id, ignored=sent.ignored)

    def is_aborted(self, **kwargs: Any) -> bool:
        """Return whether the running task was asked to stop; `task_id`: whether another one was.

        Each call reads the store. In a direct call, and with `apply`, it is False.
        """
        task_id = kwargs.get("task_id") or self.request.id
        if task_id is None or self.request.called_directly or self.request.is_eager:
            return False
        return self.AsyncResult(task_id).is_aborted()
