"""Tasks that run in the process that calls them: `apply`, and all with `task_always_eager`."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import states
from ..execution.attempt import Ending, attempt
from ..execution.context import Context
from ..execution.failure import traceback_text
from ..model.message import Delivery, Message, Receipt
from ..model.outcome import Kind
from ..result import EagerResult
from ..result.app import TaskOfApp
from ..sending.options import as_json
from ..support.coroutines import value_of

HOSTNAME = "eager"


class Links(NamedTuple):
    """The callbacks and errbacks of a task, and its place in a canvas."""

    callbacks: Sequence[Any] = ()
    errbacks: Sequence[Any] = ()
    group: str | None = None
    group_index: int | None = None
    chord: Any = None  # the body that waits for the group


def run_eagerly(
    task: TaskOfApp,
    message: Message,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    throw: bool,
    links: Links,
) -> EagerResult[Any]:
    """Run `task` at once, with its retries but without waiting between them; then its callbacks or
    errbacks. Return its result.

    With `throw`, raise the exception of a task that fails. One that is not an Exception, such as
    KeyboardInterrupt, is raised in any case.
    """
    kept_steps: dict[str, Any] = {}
    while True:
        context = _context(task, message, args, kwargs, links)
        context.kept_steps = kept_steps
        ending = attempt(task, context)
        if ending.retry is None:
            break
        message = message._replace(retries=message.retries + 1)
        if ending.retry.sig is not None:
            args, kwargs = ending.retry.sig.args, ending.retry.sig.kwargs
    if ending.kind is Kind.REPLACED:
        ending = _run_replacement(ending.value.sig, context)
    result = _result(task, context, ending)
    if task.app.conf.task_store_eager_result and _is_stored(message, ending):
        from ..result.eager_store import store_eager_result

        store_eager_result(task.app, message, args, kwargs, ending.value)
    if ending.kind is Kind.SUCCEEDED:
        for callback in links.callbacks:
            called = callback.apply((ending.value,), **_origin(context))
            result.children.append((*called.ancestors(), called)[0])
    elif result.known_failure:
        call_errbacks(links.errbacks, context, ending.value)
    if ending.kind is Kind.FAILED and (throw or not isinstance(ending.value, Exception)):
        raise ending.value
    return result


def call_errbacks(errbacks: Sequence[Any], request: Context, exc: BaseException) -> None:
    """Call `errbacks` because the task of `request` failed with `exc`. Log what they raise."""
    for errback in errbacks:
        try:
            if not errback.immutable and errback.type.wants_request(errback.args, errback.kwargs):
                value_of(errback(request, exc, exc.__traceback__))
            else:
                errback.apply((request.id,), **_origin(request))
        except Exception:
            from logging import getLogger  # takes 10 ms, so programs that only send do without it

            failed = f"{request.task}[{request.id}]"
            getLogger("liteq.task").exception("%r, the errback of %s, failed", errback, failed)


def request_of(id: str, task: str, root_id: str | None, parent_id: str | None) -> Context:
    """Return the request of a task that is not run."""
    ids = {"root_id": root_id, "parent_id": parent_id}
    options = as_json({name: value for name, value in ids.items() if value is not None})
    message = Message(id, task, payload=b"", serializer="", queue="", options=options)
    request = Context(Delivery(message, Receipt(id, 0)), (), {}, HOSTNAME)
    request.is_eager = True
    return request


def _context(
    task: TaskOfApp,
    message: Message,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    links: Links,
) -> Context:
    context = Context(Delivery(message, Receipt(message.id, 0)), args, kwargs, HOSTNAME)
    context.is_eager = True
    context.running = task
    context.callbacks, context.errbacks = links.callbacks or None, links.errbacks or None
    context.group, context.group_index = links.group, links.group_index
    context.chord = links.chord
    return context


def _is_stored(message: Message, ending: Ending) -> bool:
    return not message.ignore_result and ending.kind is not Kind.IGNORED


def _origin(request: Context) -> dict[str, Any]:
    return {"root_id": request.root_id, "parent_id": request.id}


def _run_replacement(sig: Any, context: Context) -> Ending:
    """Run the replacement of a task under the task's id; return how it ended."""
    nesting = context.replaced_task_nesting + 1
    sig = sig.clone().set(task_id=context.id, replaced_task_nesting=nesting)
    result = sig.apply(throw=False, root_id=context.root_id, parent_id=context.parent_id)
    try:
        return Ending(Kind.SUCCEEDED, result.get(disable_sync_subtasks=False))
    except Exception as exc:  # noqa: BLE001 - the error of a replacement is that of the task
        return Ending(Kind.FAILED, exc)


def _result(task: TaskOfApp, context: Context, ending: Ending) -> EagerResult[Any]:
    rejected = ending.kind in (Kind.REJECTED, Kind.REQUEUED, Kind.SNOOZED)
    failed = rejected or ending.kind is Kind.FAILED
    ignored = ending.kind is Kind.IGNORED
    return EagerResult(
        context.id or "",
        None if ignored else ending.value,
        states.FAILURE if rejected else ending.state,
        traceback_text(ending.value) if failed else None,
        task.name,
        task.app,
        reported=states.IGNORED if ignored else None,
        children=context.children,
    )
