"""The application of a script that other modules import too.

`python -m proj.celery` runs the module as `__main__`. When `proj.tasks` imports `proj.celery`, it
is imported once more, with an application of its own, and that one gets the tasks.
"""

import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeGuard

from ..result.app import App
from .mainscript import NAME
from .registry import Registry
from .tools import Tools


def in_script(module: str) -> bool:
    """Return whether `module` is the program's own script, in a child process too."""
    return module in ("__main__", NAME)


def run_as(app: App) -> str | None:
    """Return the name of the module that `python -m` runs, if `app` is a variable of it.

    Others that import it know its tasks by that name. None for all other programs: also for a
    script that `python -m cProfile` runs, of which `sys.modules` knows nothing.
    """
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is None or spec.name.endswith("__main__") or not _names_of(app, main):
        return None
    name: str = spec.name
    return name


def take_tasks(app: App, registry: Registry) -> None:
    """Add the tasks and schedules that other modules have given to the application they imported,
    which is not `app`, but was made by the same code. `registry`: that of `app`.
    """
    for other in _imported_apps(app):
        for name, task in other.tasks.items():
            if name not in registry:
                app.register_task(task)
        app.periodic_tasks = other.periodic_tasks | app.periodic_tasks


def _imported_apps(app: App) -> Iterator[App]:
    """Yield the applications that the script's code has made when it was imported as a module.

    `app`: the one that it has made as a script.
    """
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    names = _names_of(app, main)
    if path is None or not names:
        return
    for name, module in list(sys.modules.items()):
        if not in_script(name) and _is_file_of(module, path):
            other = getattr(module, names[0], None)
            if _is_app(other) and other is not app:
                yield other


def _is_app(value: Any) -> TypeGuard[App]:
    return isinstance(value, Tools)


def _names_of(app: App, module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if value is app]


def _is_file_of(module: ModuleType, path: str) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and os.path.abspath(file) == os.path.abspath(path)
