"""Run a task where it is called: `apply`, and every call with `task_always_eager`."""

from collections.abc import Mapping, Sequence
from typing import Any

from . import states
from .attempt import Ending, attempt
from .context import Context
from .failure import traceback_text
from .message import Delivery, Message, Receipt
from .outcome import Kind
from .result import EagerResult

HOSTNAME = "eager"


def run_eagerly(
    task: Any, message: Message, args: Sequence[Any], kwargs: Mapping[str, Any], throw: bool
) -> EagerResult[Any]:
    """Run `task` here and now, retries included and without waiting between them.

    With `throw` an exception of the task comes through. What only ends a program, such as
    KeyboardInterrupt, comes through in any case.
    """
    while True:
        ending = _attempt(task, message, args, kwargs)
        if ending.retry is None:
            break
        message = message._replace(retries=message.retries + 1)
        if ending.retry.sig is not None:
            args, kwargs = ending.retry.sig.args, ending.retry.sig.kwargs
    if ending.kind is Kind.FAILED and (throw or not isinstance(ending.value, Exception)):
        raise ending.value
    return _result(task, message.id, ending)


def _attempt(task: Any, message: Message, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Ending:
    context = Context(Delivery(message, Receipt(message.id, 0)), args, kwargs, HOSTNAME)
    context.is_eager = True
    context.running = task
    return attempt(task, context)


def _result(task: Any, id: str, ending: Ending) -> EagerResult[Any]:
    rejected = ending.kind in (Kind.REJECTED, Kind.REQUEUED)
    failed = rejected or ending.kind is Kind.FAILED
    state = states.FAILURE if rejected else ending.state
    trace = traceback_text(ending.value) if failed else None
    value = None if ending.kind is Kind.IGNORED else ending.value
    return EagerResult(id, value, state, trace, task.name, task.app)
