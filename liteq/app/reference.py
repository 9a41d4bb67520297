"""References by which a child process finds the application."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from ..exceptions import ImproperlyConfigured
from ..result.app import App, default_app, get_current_app
from . import django
from .mainscript import NAME, describe_main, run_main

_CURE = (
    "move the tasks to a module and import it, or use a pool inside this process: "
    "app.Worker(pool='threads')"
)

_PACKAGE = __name__.partition(".")[0]


def calling_module() -> str:
    """Return the name of the module whose code called liteq."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__")):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))


def refer_to(app: App) -> dict[str, Any]:
    """Return where `app` is, as JSON values.

    Raises ImproperlyConfigured for an app that no other process can find.
    """
    if app is default_app():  # the variable of a module that stands for it is a proxy
        return _reference(app, sys.modules[_PACKAGE], "current_app")
    for module in _modules(app):
        name = next((name for name, value in vars(module).items() if value is app), None)
        if name is not None:
            return _reference(app, module, name)
    raise ImproperlyConfigured(
        f"child processes cannot find {app!r}: it is no module's variable; {_CURE}"
    )


def _reference(app: App, module: ModuleType, name: str) -> dict[str, Any]:
    reference: dict[str, Any] = {
        "module": module.__name__,
        "name": name,
        "folder": os.getcwd(),
        "tasks": _modules_of_tasks(app),
    }
    if module.__name__ == "__main__" or _tasks_in_main(app):
        reference["main"] = _main(app)
    return reference


def find(reference: dict[str, Any]) -> Any:
    """Return the application that `refer_to` described: its LiteQ in this process."""
    main = reference.get("main")
    script = run_main(main) if main else None
    in_script = reference["module"] in ("__main__", NAME)
    module = script if script and in_script else import_module(reference["module"])
    django.set_up()  # tasks import models
    for name in reference["tasks"]:
        import_module(name)
    app = getattr(module, reference["name"])
    return get_current_app() if module.__name__ == _PACKAGE else app  # `current_app` is a proxy


def _modules(app: App) -> Iterator[ModuleType]:
    """Yield the modules that may hold `app`: that in which it was made first, the script last.

    Others may have imported it, as a web application does, and importing those does more.
    """
    main = sys.modules["__main__"]
    for name in (app.module, app.main or ""):
        if name in sys.modules:
            yield sys.modules[name]
    for name, module in list(sys.modules.items()):
        # liteq refers to it as well, but in this process only.
        if module is not main and not _is_ours(name) and hasattr(module, "__dict__"):
            yield module
    yield main


def _is_ours(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] == _PACKAGE


def _modules_of_tasks(app: App) -> list[str]:
    """Return the modules that define tasks: the app's own module may not import all of them."""
    names = {type(task).run.__module__ for task in app.tasks.values()}
    known = ((name, sys.modules.get(name)) for name in sorted(names) if name != "__main__")
    return [name for name, module in known if getattr(module, "__spec__", None) is not None]


def _main(app: App) -> dict[str, str]:
    how = describe_main()
    if how is None:
        raise ImproperlyConfigured(
            f"tasks of {app!r} are defined at a prompt or in a notebook, where child processes "
            f"cannot find them: {_CURE}"
        )
    return how


def _tasks_in_main(app: App) -> bool:
    return any(type(task).run.__module__ == "__main__" for task in app.tasks.values())
