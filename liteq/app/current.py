"""Names that stand for whatever is current: `current_app`, `current_task`, shared tasks."""

from collections.abc import Callable
from typing import Any, cast

from ..result.app import get_current_app, get_current_task
from ..task import Task
from .base import LiteQ


class Proxy:
    """An object that stands for another one, which is looked up at each use."""

    __slots__ = ("__weakref__", "_get_current_object")

    def __init__(self, find: Callable[[], Any]) -> None:
        object.__setattr__(self, "_get_current_object", find)

    @property  # type: ignore[misc]  # object's may be set
    def __class__(self) -> Any:  # so that it is an instance of what it stands for
        return type(self._get_current_object())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get_current_object(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._get_current_object(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._get_current_object()(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return bool(self._get_current_object() == found(other))

    def __hash__(self) -> int:
        return hash(self._get_current_object())

    def __bool__(self) -> bool:
        return bool(self._get_current_object())

    def __dir__(self) -> list[str]:
        return dir(self._get_current_object())

    def __reduce__(self) -> Any:
        return self._get_current_object().__reduce__()

    def __repr__(self) -> str:
        return repr(self._get_current_object())


def found(value: Any) -> Any:
    """Return what `value` stands for, if it is a proxy, else `value`."""
    return value._get_current_object() if type(value) is Proxy else value


def app_or_default(app: LiteQ | None = None) -> LiteQ:
    """Return `app`, or the current application for None."""
    return cast("LiteQ", get_current_app()) if app is None else app


# To type checkers these are what they stand for.

current_app: LiteQ = cast("LiteQ", Proxy(get_current_app))
"""The current application."""

current_task: Task[..., Any] = cast("Task[..., Any]", Proxy(get_current_task))
"""The task that runs now; false when there is none."""
