"""Context passed between steps when a canvas runs eagerly, and results of steps that do not run."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import states
from ..eager import call_errbacks, request_of
from ..exceptions import TaskRevokedError
from ..result import EagerResult, ResultBase


class StepContext(NamedTuple):
    """How a step of a canvas is run here, and where it stands."""

    throw: bool | None = None  # let exceptions of tasks through; None: as the settings say
    root_id: str | None = None
    parent_id: str | None = None
    group_id: str | None = None
    group_index: int | None = None
    chord: Any = None  # the body that waits for it

    def options(self) -> dict[str, Any]:
        """Itself, as options of `Task.apply`."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    def after(self, result: ResultBase) -> "StepContext":
        """The same for what follows on `result`; it is in no group."""
        last = last_leaf(result)
        parent = self.parent_id if last is None else last.id
        return StepContext(self.throw, self.root_id, parent)


def last_leaf(result: ResultBase) -> Any:
    """The result of the last task in `result`; None when there is none."""
    last = None
    for last in result.leaves():  # noqa: B007 - the last one counts
        pass
    return last


def join_to(result: ResultBase, before: ResultBase) -> None:
    """Say that `result` follows on `before`, and was started by its last task."""
    first = result.follow(before)
    last = last_leaf(before)
    if last is not None:
        last.children.append(first)


def allows_next(result: ResultBase) -> bool:
    """Whether what comes after `result` is to run."""
    return all(leaf.allows_next for leaf in result.leaves())


def what_failed(result: ResultBase) -> Any:
    """What the first task that failed in `result` has failed with; None when none has."""
    return next((leaf.result for leaf in result.leaves() if leaf.known_failure), None)


def skipped(call: Any, exc: Exception | None) -> EagerResult[Any]:
    """The result of a task that was not run, because of `exc`, or because nothing goes on."""
    state = states.REVOKED if exc is None else states.FAILURE
    why = TaskRevokedError("revoked") if exc is None else exc
    return EagerResult(call.id, why, state, name=call.task, app=call.app, skipped=exc is not None)


def failed(
    call: Any, exc: Exception, errbacks: Sequence[Any], context: StepContext
) -> EagerResult[Any]:
    """The same, when `exc` is its own, so that its errbacks are called."""
    request = request_of(call.id, call.task, context.root_id, context.parent_id)
    call_errbacks(errbacks, request, exc)
    return skipped(call, exc)
