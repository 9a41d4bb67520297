"""The application and the task that "current" means, and shared for tasks that any app may have.

Nothing inside the package leans on the current app; it is there for programs that do.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from ..exceptions import ImproperlyConfigured
from . import context

Register = Callable[[Any], object]
"""Makes a shared task in the app that it is given."""

_app: Any = None  # the newest application, or the one that was chosen
_default: Any = None  # what counts when nothing was chosen
_apps: "WeakSet[Any]" = WeakSet()
_shared: list[Register] = []


def register_app(app: Any) -> None:
    """A new application: it gets all shared tasks, those of today and those to come."""
    _apps.add(app)
    for register in _shared:
        register(app)


def share_task(register: Register) -> None:
    """Apply `register` to all applications, those of today and those to come."""
    _shared.append(register)
    for app in list(_apps):
        register(app)


def set_current(app: Any) -> None:
    """Make `app` the current one, in all threads."""
    global _app
    _app = app


def set_default(app: Any) -> None:
    """Make `app` the current one wherever no other is."""
    global _default
    _default = app


def unregister_app(app: Any) -> None:
    """`app` is closed: it is nobody's current one any more."""
    global _app, _default
    _app = None if _app is app else _app
    _default = None if _default is app else _default


def get_current_app() -> Any:
    """The app of the running task, else the current one. Raises ImproperlyConfigured."""
    running = context.current.get().running
    app = running.app if running is not None else _app or _default
    if app is None:
        raise ImproperlyConfigured("there is no application yet: make one with app = LiteQ(...)")
    return app


def get_current_task() -> Any:
    """The task that runs now, or None."""
    return context.current.get().running


class Proxy:
    """Stands for an object that is looked up at each use."""

    __slots__ = ("__weakref__", "_get_current_object")

    def __init__(self, find: Callable[[], Any]) -> None:
        object.__setattr__(self, "_get_current_object", find)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get_current_object(), name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._get_current_object()(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        mine = self._get_current_object()
        return bool(mine == (other._get_current_object() if isinstance(other, Proxy) else other))

    def __hash__(self) -> int:
        return hash(self._get_current_object())

    def __bool__(self) -> bool:
        return bool(self._get_current_object())

    def __dir__(self) -> list[str]:
        return dir(self._get_current_object())

    def __reduce__(self) -> Any:
        return self._get_current_object().__reduce__()

    def __repr__(self) -> str:
        try:
            return repr(self._get_current_object())
        except ImproperlyConfigured as exc:
            return f"<nothing: {exc}>"


current_app: Any = Proxy(get_current_app)
"""The current application."""

current_task: Any = Proxy(get_current_task)
"""The task that runs now; false when there is none."""
