"""The options of tasks: which there are, the checks of them, and those that the settings give."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from ..config import Config
from ..exceptions import ImproperlyConfigured
from ..support.nearest import did_you_mean, nearest, suggestion
from ..support.warning import warn
from ..task import HOOKS, Task

OPTIONS = (
    "acks_late",
    "autoretry_for",
    "default_retry_delay",
    "dont_autoretry_for",
    "expires",
    "ignore_result",
    "keep_output",
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
EXCEPTIONS = ("autoretry_for", "dont_autoretry_for", "throws")
"""Options that are classes of exceptions."""
PYDANTIC = ("strict", "context", "dump_kwargs")
"""Options `pydantic_...`, without this prefix."""

# What `@app.task` takes beside OPTIONS is no attribute of tasks.
NAMES = (*OPTIONS, "bind", "base", "pydantic", *(f"pydantic_{each}" for each in PYDANTIC))
_QUEUES_ONLY = "liteq has queues only: set `queue`"
_NO_PARTS = "the worker cannot be assembled from other parts"
_MEANINGLESS = {
    "Request": _NO_PARTS,
    "Strategy": _NO_PARTS,
    "acks_on_failure_or_timeout": "a task that failed is finished",
    "backend": "results are kept in the broker's own store",
    "compression": "payloads are not compressed",
    "delivery_mode": _QUEUES_ONLY,
    "exchange": _QUEUES_ONLY,
    "lazy": "tasks are made where they are defined",
    "rate_limit": "there are no rate limits yet",
    "reject_on_worker_lost": "a task whose process died runs again, unless acks_late=False",
    "routing_key": _QUEUES_ONLY,
    "send_events": "there are no events",
    "shared": "liteq.shared_task is for that",
    "trail": "subtasks are not recorded yet",
}
_CLOSE = 0.8  # a letter or two wrong: other names are a program's own attributes
_BASES = frozenset(Task.__mro__)


def check_option(task: str, option: str) -> None:
    """Warn of an `option` that does nothing here.

    Raises ImproperlyConfigured if it would replace a method, or another part, of all tasks.
    """
    if option in OPTIONS:
        return
    if option in _MEANINGLESS:
        warn(f"task {task}: the option {option!r} does nothing in liteq: {_MEANINGLESS[option]}")
    elif hasattr(Task, option):
        raise ImproperlyConfigured(
            f"task {task}: {option!r} cannot be an option, as tasks have a method or an attribute "
            f"of that name: give it another name, or define it in a class and use base="
        )


def check_attributes(task: Task[..., Any]) -> None:
    """Make tuples of the exceptions of `task`; warn of attributes that look like misspelt options.

    Raises ImproperlyConfigured for exceptions that are none.
    """
    _make_tuples(task)
    for kind in type(task).__mro__:
        for name, value in vars(kind).items() if kind not in _BASES else ():
            if near := nearest_option(name, value):
                where = f"task {task.name}" if kind is type(task) else kind.__qualname__
                warn(
                    f"{where}: {name!r} is no option of liteq, and only an attribute of the task"
                    f"{suggestion(near)}"
                )


def _make_tuples(task: Task[..., Any]) -> None:
    """Turn options of `task` that are classes of exceptions into tuples, where they are none."""
    for option in EXCEPTIONS:
        found = _exceptions(task, option)
        if found != getattr(task, option):
            setattr(task, option, found)


def _exceptions(task: Task[..., Any], option: str) -> tuple[type[BaseException], ...]:
    """Return the classes of exceptions in an option of `task`: one, or some, also in tuples."""
    given = getattr(task, option)
    found: list[type[BaseException]] = []
    waiting = [given]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, type) and issubclass(each, BaseException):
            found.append(each)
        elif isinstance(each, list | tuple | set | frozenset):
            waiting[:0] = each
        else:
            raise ImproperlyConfigured(
                f"task {task.name}: {option} is {given!r:.200}, but must be a class of exceptions, "
                "or a tuple of them"
            )
    return tuple(found)


def nearest_option(name: str, value: Any) -> str | None:
    """Return the option that an attribute of this name may mean; a function can only be a hook."""
    if name.startswith("_") or name in _MEANINGLESS or hasattr(Task, name):
        return None
    if isinstance(value, property):
        return None
    is_function = callable(value) and not isinstance(value, type)
    return _nearest_of(HOOKS if is_function else NAMES, name)


@cache
def _nearest_of(known: tuple[str, ...], name: str) -> str | None:
    return nearest(name, known, _CLOSE)


def apply_settings(task: Task[..., Any], conf: Config) -> None:
    """Set the options of `task` that `task_retry_policy` and `task_annotations` give it.

    Raises ImproperlyConfigured for an option that does not exist, or cannot have its value.
    """
    _apply_retry_policy(task, conf.task_retry_policy)
    _annotate(task, conf.task_annotations)
    _make_tuples(task)


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
                check_option(task.name, option)
                setattr(task, option, value)
