"""Tasks of reusable modules, which know no application: `shared_task`."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from ..result.app import get_current_app, share_task
from ..task import Task
from .current import Proxy

if TYPE_CHECKING:
    from .asynctask import AsyncTask, MakeBoundTask, MakeTask

P = ParamSpec("P")
R = TypeVar("R")


@overload
def shared_task(function: Callable[P, Coroutine[Any, Any, R]], /) -> "AsyncTask[P, R]": ...
@overload
def shared_task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def shared_task(*, bind: Literal[True], **options: Any) -> "MakeBoundTask": ...
@overload
def shared_task(*, bind: Literal[False] = False, **options: Any) -> "MakeTask": ...
def shared_task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a task of every application, those that exist and those to come.

    Takes the options of `app.task`. Returns a proxy, which at each use is the task of the current
    application.
    """
    if function is None:
        return lambda function: _shared(function, options)
    return _shared(function, options)


def _shared(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    share_task(lambda app: app.add_function(function, **options))

    def find() -> Task[..., Any]:
        app = get_current_app()
        name = options.get("name") or app.gen_task_name(function.__name__, function.__module__)
        task: Task[..., Any] = app.tasks[name]
        return task

    return Proxy(find)
