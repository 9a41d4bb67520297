"""Sources of settings: modules, classes, objects and mappings, also by their dotted name."""

from collections.abc import Mapping
from functools import reduce
from importlib import import_module
from types import ModuleType
from typing import Any

from ..exceptions import ImproperlyConfigured
from .celery import current_name, nearest_name

Pairs = list[tuple[str, Any]]


def pairs_of(source: Any, namespace: str | None) -> tuple[str, Pairs]:
    """Return the origin of the settings for messages, and the settings as names with values.

    `namespace`: only names with this prefix are returned, without it. Raises ImproperlyConfigured
    when `source` is a name and cannot be imported.
    """
    name = source if isinstance(source, str) else getattr(source, "__name__", None)
    origin = f" in {name}" if name else ""
    if isinstance(source, str):
        source = _import(source)
    if isinstance(source, Mapping):
        pairs = list(source.items())
        return origin, _in_namespace(namespace, pairs) if namespace else pairs
    pairs = [(name, getattr(source, name)) for name in dir(source) if not name.startswith("_")]
    if namespace:
        pairs = _in_namespace(namespace, pairs)
    else:
        pairs = [(name, value) for name, value in pairs if _is_setting_name(name)]
    return origin, [pair for pair in pairs if _is_value(*pair)]


def _in_namespace(namespace: str, pairs: Pairs) -> Pairs:
    prefix = namespace if namespace.endswith("_") else namespace + "_"
    return [(_shortened(prefix, name), value) for name, value in pairs if name.startswith(prefix)]


def _shortened(prefix: str, name: str) -> str:
    # With the namespace CELERY, `CELERY_RESULT_EXPIRES` is `result_expires`; but the old name
    # `CELERY_TASK_RESULT_EXPIRES` is one only as a whole.
    short = name.removeprefix(prefix).lower()
    return name if current_name(short) is None and current_name(name) else short


def _is_setting_name(name: str) -> bool:
    # A module may have lower-case variables of its own; a misspelt setting is still an error.
    return name.isupper() or current_name(name) is not None or nearest_name(name) is not None


def _is_value(name: str, value: Any) -> bool:
    """Return whether `value` was assigned, not imported as by `from datetime import timezone`."""
    if isinstance(value, type | ModuleType):
        return False
    return not callable(value) or current_name(name) is not None  # a function can be a route


def _import(name: str) -> Any:
    """Import and return "package.module", "package.module:attribute" or "package.attribute"."""
    module, colon, path = name.partition(":")
    try:
        found = import_module(module)
    except ModuleNotFoundError as exc:
        parent, _, attribute = module.rpartition(".")
        if parent and not colon and exc.name == module:
            return _import(f"{parent}:{attribute}")
        raise ImproperlyConfigured(
            f"the configuration {name!r} cannot be imported: {exc}. Is its folder on sys.path?"
        ) from exc
    try:
        return reduce(getattr, path.split("."), found) if path else found
    except AttributeError as exc:
        raise ImproperlyConfigured(f"there is no configuration {name!r}: {exc}") from exc
