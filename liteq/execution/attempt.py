"""One attempt to run a task: its code, its hooks, and the signals around it.

It is the same in a worker and in `apply`; each of them handles the ending itself.
"""

import os
from typing import Any, NamedTuple

from .. import states
from ..exceptions import (
    ClaimLost,
    Ignore,
    Reject,
    Replaced,
    Retry,
    Snooze,
    TaskRevokedError,
    TransactionError,
)
from ..model.outcome import Kind
from ..signals import (
    task_failure,
    task_postrun,
    task_prerun,
    task_retry,
    task_revoked,
    task_success,
)
from ..support.coroutines import COROUTINE, run_coroutine
from .context import Context, Finished, RunnableTask, enter, leave
from .failure import ExceptionInfo
from .forked import exit_forked
from .softlimit import call_within
from .steps import Suspended

_STATES = {
    Kind.SUCCEEDED: states.SUCCESS,
    Kind.FAILED: states.FAILURE,
    Kind.RETRY: states.RETRY,
    Kind.IGNORED: states.IGNORED,
    Kind.REPLACED: states.IGNORED,
    Kind.REJECTED: states.REJECTED,
    Kind.REQUEUED: states.REJECTED,
    Kind.TERMINATED: states.REVOKED,
    # It goes on later.
    Kind.SNOOZED: states.PENDING,
    Kind.SLEPT: states.PENDING,
    Kind.AWAITED: states.PENDING,
    Kind.GATHERED: states.PENDING,
}
_UNFINISHED = {states.RETRY, states.IGNORED, states.REJECTED, states.PENDING}


class Ending(NamedTuple):
    """The way in which the code of a task ended."""

    kind: Kind
    value: Any = None  # the return value, or the exception
    retry: Retry | None = None

    @property
    def state(self) -> str:
        """Return Celery's state for it."""
        return _STATES[self.kind]


def attempt(task: RunnableTask, context: Context) -> Ending:
    """Run `task` in `context`; return how it ended. What it raises is the ending's value.

    A hook or a receiver that fails is logged, and changes nothing. Only `before_start` counts as
    part of the task.
    """
    token, pulse = enter(context), context.pulse
    try:
        if pulse is not None:
            pulse.runs.add(context)
        if task_prerun.receivers:
            task_prerun.send(sender=task, task=task, **_arguments(context))
        ending = _run(task, context)
        if context.completed is not None:
            ending = _completed(task, context, ending)
        elif context.uncommitted is not None and ending.kind is Kind.SUCCEEDED:
            ending = _uncommitted(context)
        if context.pid is not None and os.getpid() != context.pid:
            exit_forked(None if ending.kind is Kind.SUCCEEDED else ending.value)
        if task.hooks:
            _call_hooks(task, context, ending)
        if _SIGNALS[ending.kind].receivers or task_postrun.receivers:
            _send_signals(task, context, ending)
    finally:
        leave(token)
        if pulse is not None:
            pulse.runs.discard(context)
        if context.reporter is not None:
            context.reporter.end()
    return ending


def _run(task: RunnableTask, context: Context) -> Ending:
    try:
        if "before_start" in task.hooks:
            task.before_start(context.id, context.args, context.kwargs)
        context.through_call = task.run_target is task
        if context.soft_limit is None:
            value = task.run_target(*context.args, **context.kwargs)
        else:
            value = call_within(context.soft_limit, task.run_target, context.args, context.kwargs)
        if value.__class__ is COROUTINE:
            value = run_coroutine(value, context.soft_limit)
    except Retry as exc:
        return _retried(exc)
    except (Ignore, Snooze, Reject, Suspended, ClaimLost) as exc:
        return Ending(_kind_of(exc, context), exc)
    except Finished as exc:
        return Ending(Kind.SUCCEEDED, exc.value)
    except BaseException as exc:  # noqa: BLE001 - SystemExit too: it ends the task, not the worker
        return _failed(task, context, exc)
    steps = context.used_steps
    if steps is not None and steps.suspended is not None:  # and the task has caught it
        return Ending(steps.suspended.kind, steps.suspended)
    if context.requested_retry is not None:
        return _retried(context.requested_retry)
    return Ending(Kind.SUCCEEDED, value)


def _kind_of(exc: BaseException, context: Context) -> Kind:
    """Return what a task asks for by `exc`."""
    match exc:
        case Suspended():
            return exc.kind
        case Snooze():
            return Kind.SNOOZED
        case Replaced():
            return Kind.REPLACED
        case Ignore():
            return Kind.IGNORED
        case Reject():
            # Only a message that is not acknowledged yet can go back to its queue.
            requeue = exc.requeue and context.message is not None and context.message.acks_late
            return Kind.REQUEUED if requeue else Kind.REJECTED
        case _:  # ClaimLost: whatever is written of it is refused
            return Kind.REQUEUED


def _completed(task: RunnableTask, context: Context, ending: Ending) -> Ending:
    """Return how a task ends that has completed its work in a transaction of its own."""
    assert context.completed is not None
    if ending.kind is not Kind.SUCCEEDED and not context.settled:
        return ending  # it runs again, and finds that its work is done
    if ending.kind is not Kind.SUCCEEDED:
        from logging import getLogger

        getLogger("liteq.task").error(
            "%s[%s] has succeeded already, so what it raised after commit() changes nothing: %r",
            task.name,
            context.id,
            ending.value,
            exc_info=ending.value,
        )
    return Ending(Kind.SUCCEEDED, *context.completed)


def _uncommitted(context: Context) -> Ending:
    """Return the end of a task whose work is lost, because nobody has committed it."""
    return Ending(
        Kind.FAILED,
        TransactionError(
            f"the transaction of {context.uncommitted}, in which once() took part, was not "
            f"committed when the task returned: commit it, or let once() begin it"
        ),
    )


def is_retried(task: RunnableTask, exc: BaseException) -> bool:
    """Return whether the options of `task` say that it is retried because of `exc`."""
    retriable = isinstance(exc, tuple(task.autoretry_for))
    return retriable and not isinstance(exc, tuple(task.dont_autoretry_for))


def _failed(task: RunnableTask, context: Context, exc: BaseException) -> Ending:
    reporter = context.reporter
    if isinstance(exc, TaskRevokedError) and reporter is not None and reporter.to_end:
        return Ending(Kind.TERMINATED, exc)  # it has asked whether it is to end, and does so
    if not is_retried(task, exc):
        return Ending(Kind.FAILED, exc)
    try:
        task.autoretry(exc)
    except Retry as retry:
        return _retried(retry)
    except BaseException as last:  # noqa: BLE001 - no retries left, or `retry` was overridden
        return Ending(Kind.FAILED, last)
    raise AssertionError("autoretry always raises")


def _retried(retry: Retry) -> Ending:
    reason = retry.exc if isinstance(retry.exc, BaseException) else retry
    return Ending(Kind.RETRY, reason, retry)


# hooks and signals


def _call_hooks(task: RunnableTask, context: Context, ending: Ending) -> None:
    call = context.id, context.args, context.kwargs
    einfo = _einfo(ending)
    match ending.kind:
        case Kind.SUCCEEDED:
            _hook(task, "on_success", ending.value, *call)
        case Kind.FAILED:
            _hook(task, "on_failure", ending.value, *call, einfo)
        case Kind.RETRY:
            _hook(task, "on_retry", ending.value, *call, einfo)
    if ending.state not in _UNFINISHED:
        _hook(task, "after_return", ending.state, ending.value, *call, einfo)


def _hook(task: RunnableTask, name: str, *args: Any) -> None:
    if name not in task.hooks:
        return
    try:
        getattr(task, name)(*args)
    except Exception:
        from logging import getLogger  # takes 10 ms, so programs that only send do without it

        getLogger("liteq.task").exception("%s of %s failed", name, task.name)


_SIGNALS = {
    Kind.SUCCEEDED: task_success,
    Kind.FAILED: task_failure,
    Kind.RETRY: task_retry,
    Kind.TERMINATED: task_revoked,
    # These have no signal of their own, only `task_postrun`.
    Kind.IGNORED: task_postrun,
    Kind.REPLACED: task_postrun,
    Kind.REJECTED: task_postrun,
    Kind.REQUEUED: task_postrun,
    Kind.SNOOZED: task_postrun,
    Kind.SLEPT: task_postrun,
    Kind.AWAITED: task_postrun,
    Kind.GATHERED: task_postrun,
}


def _send_signals(task: RunnableTask, context: Context, ending: Ending) -> None:
    einfo = _einfo(ending)
    call = _arguments(context)
    match ending.kind:
        case Kind.SUCCEEDED:
            task_success.send(sender=task, result=ending.value)
        case Kind.FAILED:
            trace = ending.value.__traceback__
            task_failure.send(
                sender=task, exception=ending.value, traceback=trace, einfo=einfo, **call
            )
        case Kind.RETRY:
            task_retry.send(sender=task, request=context, reason=ending.retry, einfo=einfo)
        case Kind.TERMINATED:
            task_revoked.send(
                sender=task, request=context, terminated=True, signum=None, expired=False
            )
    task_postrun.send(sender=task, task=task, retval=ending.value, state=ending.state, **call)


def _arguments(context: Context) -> dict[str, Any]:
    return {"task_id": context.id, "args": context.args, "kwargs": context.kwargs}


def _einfo(ending: Ending) -> ExceptionInfo | None:
    return ExceptionInfo(ending.value) if isinstance(ending.value, BaseException) else None
