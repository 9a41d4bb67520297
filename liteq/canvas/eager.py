"""Context passed between steps when a canvas runs eagerly, and results of steps that do not run."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import states
from ..exceptions import TaskRevokedError
from ..result import EagerResult, ResultBase
from .apply import call_errbacks, request_of


class StepContext(NamedTuple):
    """The way in which a step of a canvas runs eagerly, and its place in the canvas."""

    throw: bool | None = None  # raise exceptions of tasks; None: as the settings say
    root_id: str | None = None
    parent_id: str | None = None
    group_id: str | None = None
    group_index: int | None = None
    chord: Any = None  # the body that waits for its group

    def options(self) -> dict[str, Any]:
        """Return its fields as options of `Task.apply`."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    def after(self, result: ResultBase) -> "StepContext":
        """Return the context of a step that follows on `result` and is in no group."""
        last = last_leaf(result)
        parent = self.parent_id if last is None else last.id
        return StepContext(self.throw, self.root_id, parent)


def last_leaf(result: ResultBase) -> Any:
    """Return the result of the last task in `result`; None when there is none."""
    last = None
    for last in result.leaves():  # noqa: B007 - the last one counts
        pass
    return last


def link_after(result: ResultBase, before: ResultBase) -> None:
    """Put `result` after `before`, and among the children of its last task."""
    first = result.follow(before)
    last = last_leaf(before)
    if last is not None:
        last.children.append(first)


def allows_next(result: ResultBase) -> bool:
    """Return whether the step after `result` may run."""
    return all(leaf.allows_next for leaf in result.leaves())


def first_error(result: ResultBase) -> Any:
    """Return the exception of the first task in `result` that failed; None when none did."""
    return next((leaf.result for leaf in result.leaves() if leaf.known_failure), None)


def skipped_result(call: Any, exc: Exception | None) -> EagerResult[Any]:
    """Return the result of a task that was skipped because of `exc`.

    None: nothing failed, but the task before it raised Ignore.
    """
    state = states.REVOKED if exc is None else states.FAILURE
    error = TaskRevokedError("revoked") if exc is None else exc
    return EagerResult(call.id, error, state, name=call.task, app=call.app, skipped=exc is not None)


def failed_result(
    call: Any, exc: Exception, errbacks: Sequence[Any], context: StepContext
) -> EagerResult[Any]:
    """Return the same, after its errbacks were called with `exc` as its own exception."""
    request = request_of(call.id, call.task, context.root_id, context.parent_id)
    call_errbacks(errbacks, request, exc)
    return skipped_result(call, exc)
