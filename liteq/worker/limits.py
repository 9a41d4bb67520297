"""Tasks whose limits the store has not asked, since their sender did not know these."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..model.limit import has_uses, uses_of
from ..model.message import Delivery
from ..model.options import options_of
from ..model.outcome import Kind, Outcome
from ..sending.limits import with_limits
from ..task import Task


def asking_limits(
    task: Task[..., Any], delivery: Delivery, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Outcome | None:
    """Return the outcome by which a task that was not asked for goes to the line of its limits.

    None for one that has no limits. It was sent by name, or by SQL, or takes from another task what
    its key names. Raises InvalidTaskError for limits that cannot be read, or be its own.
    """
    message = delivery.message
    if has_uses(message.options):
        options = options_of(message)
        if "limits" in options and not uses_of(options):
            return None  # the call has none, whatever the task has
        limited = message
    elif task.limits or task.rate_limit:
        limited = with_limits(message, task, args, kwargs, options_of(message))
    else:
        return None
    return Outcome(Kind.LIMITED, note="it waits for its limits", message=limited)
