"""One attempt to run a task that is a coroutine, in the event loop that runs in this thread.

The counterpart of `attempt`, for a pool that runs many coroutines in one loop.
"""

from asyncio import CancelledError

from ..model.outcome import Kind
from ..signals import task_prerun
from ..support.coroutines import COROUTINE
from ..support.driving import Driver, within
from .attempt import Ending, after, before, raised, returned
from .context import Context, RunnableTask, enter, leave


async def await_attempt(task: RunnableTask, context: Context, driver: Driver) -> Ending:
    """Do what `attempt` does. The coroutine can be interrupted and ended by `driver`."""
    token = enter(context)
    try:
        if task_prerun.receivers:
            before(task, context)
        return after(task, context, await _run(task, context, driver))
    finally:
        leave(token)


async def _run(task: RunnableTask, context: Context, driver: Driver) -> Ending:
    try:
        if "before_start" in task.hooks:
            task.before_start(context.id, context.args, context.kwargs)
        context.through_call = task.run_target is task
        value = task.run_target(*context.args, **context.kwargs)
        if value.__class__ is COROUTINE:
            limit = context.soft_limit
            value = await (driver.drive(value) if limit is None else within(value, limit, driver))
        ending = returned(context, value)
    except BaseException as exc:  # noqa: BLE001 - SystemExit too: it ends the task, not the worker
        if driver.ended_as is not None:
            return Ending(Kind(driver.ended_as), exc)
        return raised(task, context, exc)
    if driver.ended_as is not None:  # and the task has caught it
        return Ending(Kind(driver.ended_as), CancelledError())
    return ending
