"""The tasks of an application, and the making of a task from a function."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ..canvas.builtins import PREFIX
from ..config import Config
from ..exceptions import ImproperlyConfigured, NotRegistered
from ..support.nearest import did_you_mean
from ..support.plugins import load
from ..task import HOOKS, Task

OPTIONS = (
    "acks_late",
    "autoretry_for",
    "default_retry_delay",
    "dont_autoretry_for",
    "expires",
    "ignore_result",
    "max_retries",
    "on_replace",
    "priority",
    "queue",
    "resultrepr_maxsize",
    "retry_backoff",
    "retry_backoff_max",
    "retry_jitter",
    "retry_kwargs",
    "schedule",
    "serializer",
    "soft_time_limit",
    "store_errors_even_if_ignored",
    "throws",
    "time_limit",
    "track_started",
    "typing",
    *HOOKS,
)
RETRY_OPTIONS = (
    "max_retries",
    "default_retry_delay",
    "autoretry_for",
    "dont_autoretry_for",
    "retry_kwargs",
    "retry_backoff",
    "retry_backoff_max",
    "retry_jitter",
)
_MEANINGLESS = {
    "acks_on_failure_or_timeout": "a task that failed is finished",
    "compression": "payloads are not compressed",
    "lazy": "tasks are made where they are defined",
    "rate_limit": "there are no rate limits yet",
    "reject_on_worker_lost": "a task whose process died runs again, unless acks_late=False",
    "send_events": "there are no events",
    "shared": "liteq.shared_task is for that",
    "trail": "subtasks are not recorded yet",
}
_SHOWN = 10  # names in an error
_COROUTINE = 0x80  # a flag of code objects
_BASES = frozenset(Task.__mro__)


class Registry(dict[str, Task[..., Any]]):
    """Tasks by name. Reading an unknown one raises NotRegistered."""

    def __missing__(self, name: str) -> Task[..., Any]:
        raise NotRegistered(self.unknown(name))

    def names(self) -> list[str]:
        """Return the names in order, without those of the tasks that every app has."""
        return sorted(name for name in self if not name.startswith(PREFIX))

    def unknown(self, name: str) -> str:
        """Return the error text for the unknown task `name`, with the names that are known."""
        names = self.names()
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        known = ", ".join(names[:_SHOWN]) or "none; was its module imported?"
        hint = did_you_mean(name, names, f"; known are {known}{more}")
        return f"no task {name!r} is registered here{hint}"


def task_of(
    function: Callable[..., Any],
    name: str,
    base: type[Task[..., Any]],
    *,
    bind: bool = False,
    **options: Any,
) -> Task[..., Any]:
    """Return a task that runs `function`; with `bind`, the task itself is its first argument.

    Raises ImproperlyConfigured for an option that neither liteq nor `base` knows.
    """
    if getattr(getattr(function, "__code__", None), "co_flags", 0) & _COROUTINE:
        raise ImproperlyConfigured(f"task {name}: `async def` is not supported yet")
    for option in options:
        check_option(name, option, base)
    attributes = {
        "name": name,
        "run": function if bind else staticmethod(function),
        "__bound__": bind,
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__wrapped__": staticmethod(function),
        **options,
    }
    task: Task[..., Any] = type(function.__name__, (base,), attributes)()
    for attribute in ("__name__", "__qualname__"):
        setattr(task, attribute, getattr(function, attribute))
    return task


def check_option(task: str, option: str, base: type[Task[..., Any]]) -> None:
    """Raise ImproperlyConfigured unless `option` is one that a task of `base` has."""
    if option in OPTIONS:
        return
    if option in _MEANINGLESS:
        warnings.warn(
            f"task {task}: the option {option!r} does nothing in liteq: {_MEANINGLESS[option]}",
            stacklevel=5,
        )
    elif not hasattr(base, option) or hasattr(Task, option):
        known = ("name", "bind", "base", *OPTIONS)
        hint = did_you_mean(option, known, f"; {base.__name__} has no such attribute")
        raise ImproperlyConfigured(f"task {task}: there is no option {option!r}{hint}")


def task_class(given: type[Task[..., Any]] | str) -> type[Task[..., Any]]:
    """Return the class that `task_cls` names: a class, or "module:Class"."""
    if not isinstance(given, str):
        return given
    found: type[Task[..., Any]] = load(given)
    return found


def apply_settings(task: Task[..., Any], conf: Config) -> None:
    """Set the options of `task` that `task_retry_policy` and `task_annotations` give it.

    Raises ImproperlyConfigured for an option that does not exist.
    """
    _apply_retry_policy(task, conf.task_retry_policy)
    _annotate(task, conf.task_annotations)


def _apply_retry_policy(task: Task[..., Any], policy: Mapping[str, Any]) -> None:
    """Give `task` the retry options of `policy` that it has not set itself."""
    own = {option for kind in type(task).__mro__ if kind not in _BASES for option in vars(kind)}
    for option, value in policy.items():
        if option not in RETRY_OPTIONS:
            known = f"; known are {', '.join(RETRY_OPTIONS)}"
            hint = did_you_mean(option, RETRY_OPTIONS, known)
            raise ImproperlyConfigured(f"task_retry_policy: there is no option {option!r}{hint}")
        if option not in own and option not in vars(task):
            setattr(task, option, value)


def _annotate(task: Task[..., Any], annotations: Any) -> None:
    """Set options of `task`; `annotations` is {"tasks.add": {...}, "*": {...}} or some of them."""
    for rules in annotations if isinstance(annotations, list | tuple) else (annotations or {},):
        for name in ("*", task.name):
            for option, value in rules.get(name, {}).items():
                check_option(task.name, option, type(task))
                setattr(task, option, value)
