"""The making of a task from a function."""

from collections.abc import Callable
from typing import Any

from ..exceptions import ImproperlyConfigured
from ..result.app import App
from ..support.plugins import load
from ..support.warning import warn
from ..task import Task
from . import django
from .django import DjangoTask
from .options import PYDANTIC, check_option

_ASYNC_GENERATOR = 0x200  # a flag of code objects


def task_of(
    app: App,
    function: Callable[..., Any],
    name: str,
    base: type[Task[..., Any]],
    /,
    *,
    bind: bool = False,
    **options: Any,
) -> Task[..., Any]:
    """Return a task that runs `function`; with `bind`, the task itself is its first argument.

    `app`: the application that it will belong to.

    Raises ImproperlyConfigured for an option that would replace a method of tasks, and for a `base`
    that is no class of them.
    """
    if Task not in getattr(base, "__mro__", ()):
        raise ImproperlyConfigured(
            f"task {name}: base is {base!r:.200}, but must be a class derived from liteq.Task"
        )
    if getattr(getattr(function, "__code__", None), "co_flags", 0) & _ASYNC_GENERATOR:
        raise ImproperlyConfigured(
            f"task {name}: an `async def` with `yield` has no value: collect what it yields in a "
            "list, and return that"
        )
    function = _with_models(app, function, name, options)
    for option in options:
        check_option(name, option)
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


def _with_models(
    app: App, function: Callable[..., Any], name: str, options: dict[str, Any]
) -> Callable[..., Any]:
    """Return `function` as the `options` about pydantic want it; remove these."""
    wanted = options.pop("pydantic", False)
    rest = {
        each: options.pop(f"pydantic_{each}") for each in PYDANTIC if f"pydantic_{each}" in options
    }
    if wanted:
        from .models import with_models

        return with_models(function, name, app, **rest)
    if rest:
        names = ", ".join(f"pydantic_{each}" for each in rest)
        warn(f"task {name}: {names} does nothing without pydantic=True")
    return function


def task_class(given: type[Task[..., Any]] | str | None) -> type[Task[..., Any]]:
    """Return the class that `task_cls` names: a class, or "module:Class"; for None the default."""
    if given is None:
        return DjangoTask if django.is_used() else Task
    if not isinstance(given, str):
        return given
    found: type[Task[..., Any]] = load(given)
    return found
