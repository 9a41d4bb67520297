"""Where settings come from: modules, classes, objects and mappings, also by their dotted name."""

from collections.abc import Mapping
from functools import reduce
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from ..exceptions import ImproperlyConfigured
from .celery import current_name, nearest_name

Pairs = list[tuple[str, Any]]


def pairs_of(source: Any, namespace: str | None) -> tuple[str, Pairs]:
    """What `source` is called, and the settings it holds, as pairs of name and value.

    Raises ImproperlyConfigured when `source` is a name and nothing has it.
    """
    if isinstance(source, str):
        origin, source = source, _import(source)
    else:
        origin = getattr(source, "__name__", type(source).__name__)
    if isinstance(source, Mapping):
        pairs = list(source.items())
    else:
        names = [name for name in dir(source) if not name.startswith("_")]
        pairs = [(name, getattr(source, name)) for name in names]
        pairs = [(name, value) for name, value in pairs if _is_value(name, value)]
    if namespace:
        return origin, _within(namespace, pairs)
    if not isinstance(source, Mapping):
        pairs = [(name, value) for name, value in pairs if _counts(name)]
    return origin, pairs


def _within(namespace: str, pairs: Pairs) -> Pairs:
    prefix = namespace if namespace.endswith("_") else namespace + "_"
    # With the namespace CELERY, `CELERY_RESULT_EXPIRES` is `result_expires`; but the old name
    # `CELERY_TASK_RESULT_EXPIRES` is one only as a whole.
    return [
        (short if current_name(short := name.removeprefix(prefix)) else name, value)
        for name, value in pairs
        if name.startswith(prefix)
    ]


def _counts(name: str) -> bool:
    # A module may have variables of its own, in lower case, unless they are misspelt settings.
    return name.isupper() or current_name(name) is not None or nearest_name(name) is not None


def _is_value(name: str, value: Any) -> bool:
    """Whether it was set, and not imported or defined: think of `from datetime import timezone`."""
    if isinstance(value, FunctionType | BuiltinFunctionType):
        return current_name(name) is not None  # `task_routes` may be a function
    return not isinstance(value, type | ModuleType)


def _import(name: str) -> Any:
    """The object called "package.module", "package.module:attribute" or "package.attribute"."""
    module, colon, path = name.partition(":")
    try:
        try:
            found = import_module(module)
        except ModuleNotFoundError as exc:
            if colon or exc.name != module or "." not in module:
                raise
            module, _, path = module.rpartition(".")
            found = import_module(module)
        return reduce(getattr, path.split("."), found) if path else found
    except (ModuleNotFoundError, AttributeError) as exc:
        raise ImproperlyConfigured(
            f"there is no configuration {name!r}: {exc}. Is its folder on sys.path?"
        ) from exc
