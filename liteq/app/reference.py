"""References by which a child process finds the application."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from ..exceptions import ImproperlyConfigured
from ..result.app import App
from .mainscript import NAME, describe_main, run_main

_CURE = (
    "move the tasks to a module and import it, or use a pool inside this process: "
    "app.Worker(pool='threads')"
)


def refer_to(app: App) -> dict[str, Any]:
    """Return where `app` is, as JSON values.

    Raises ImproperlyConfigured for an app that no other process can find.
    """
    for module in _modules(app):
        name = next((name for name, value in vars(module).items() if value is app), None)
        if name is None:
            continue
        reference: dict[str, Any] = {
            "module": module.__name__,
            "name": name,
            "folder": os.getcwd(),
            "tasks": _modules_of_tasks(app),
        }
        if module.__name__ == "__main__" or _tasks_in_main(app):
            reference["main"] = _main(app)
        return reference
    raise ImproperlyConfigured(
        f"child processes cannot find {app!r}: it is no module's variable; {_CURE}"
    )


def find(reference: dict[str, Any]) -> Any:
    """Return the application that `refer_to` described: its LiteQ in this process."""
    main = reference.get("main")
    script = run_main(main) if main else None
    in_script = reference["module"] in ("__main__", NAME)
    module = script if script and in_script else import_module(reference["module"])
    app = getattr(module, reference["name"])
    for name in reference["tasks"]:
        import_module(name)
    return app


def _modules(app: App) -> Iterator[ModuleType]:
    """Yield the modules that may hold `app`: the likely ones first, the script last."""
    main = sys.modules["__main__"]
    named = sys.modules.get(app.main or "")
    if named is not None:
        yield named
    ours = __name__.partition(".")[0]  # liteq refers to it as well, but in this process only
    for name, module in list(sys.modules.items()):
        if module is not main and name.partition(".")[0] != ours and hasattr(module, "__dict__"):
            yield module
    yield main


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
