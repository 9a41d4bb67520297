"""The rule that a run of a task has one block in which its work is completed."""

from ..exceptions import TransactionError
from ..execution.context import NO_TASK, Context


def check_first(request: Context) -> None:
    """Raise TransactionError where no task runs, and after a block in the same run."""
    if request is NO_TASK:
        raise TransactionError(
            "no task runs here, so none can be completed: call commit() and once() in the task "
            "itself, not in a thread that it has started"
        )
    if request.completed is not None:
        raise TransactionError("a run of a task can have one block of once() or commit()")
