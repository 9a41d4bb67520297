"""Sources of settings: modules, classes, objects and mappings, also by their dotted name."""

from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from ..exceptions import ImproperlyConfigured
from ..support.plugins import load_module_or_name
from .celery import current_name, nearest_name

Pairs = list[tuple[str, Any]]


class Source:
    """An object that settings are read from, or its dotted name, with the prefix of their names.

    It notices when the object has changed since: a test may have patched it.
    """

    def __init__(self, source: Any, namespace: str | None) -> None:
        self._source = source
        self._namespace = namespace
        self._names: list[Mapping[str, Any]] | None = None  # None: they are elsewhere each time
        self._seen: list[dict[str, Any]] = []

    def read(self) -> tuple[str, Pairs]:
        """Return the origin of the settings for messages, and the settings as names with values.

        Raises ImproperlyConfigured when the source is a name and cannot be imported.
        """
        if isinstance(self._source, str):
            origin, self._source = f" in {self._source}", _import(self._source)
        else:
            name = getattr(self._source, "__name__", None)
            origin = f" in {name}" if name else ""
        found = _pairs_of(self._source, self._namespace)
        names = _names_in(self._source)
        self._seen = [dict(each) for each in names]
        self._names = None if _is_wrapper(self._source) else names
        return origin, found

    def forget(self) -> None:
        """Forget what was read, so that the source counts as changed: it could not be used."""
        self._seen = []

    def changed(self) -> bool:
        """Return whether the object has other values than when it was read.

        This is asked whenever settings are used. Comparing takes some 15 ns for each name.
        """
        try:
            return (self._names or _names_in(self._source)) != self._seen
        except Exception:  # noqa: BLE001 - values can refuse to be compared, as arrays do
            return True


def _names_in(source: Any) -> list[Mapping[str, Any]]:
    """Return the mappings that hold the names of `source`: not copies."""
    if isinstance(source, Mapping):
        return [source]
    if isinstance(source, type):
        return [vars(kind) for kind in source.__mro__[:-1]]
    names = getattr(source, "__dict__", {})
    if _is_wrapper(source):
        return [getattr(names["_wrapped"], "__dict__", {})]
    return [names] if isinstance(source, ModuleType) else [names, *_names_in(type(source))]


def _is_wrapper(source: Any) -> bool:
    """Return whether `source` stands for another object, as Django's settings do.

    Its own attributes are of no interest: it remembers there what was read.
    """
    return "_wrapped" in getattr(source, "__dict__", ())


def _pairs_of(source: Any, namespace: str | None) -> Pairs:
    """Return the settings in `source` as names with values.

    `namespace`: only names with this prefix are returned, without it.
    """
    if isinstance(source, Mapping):
        pairs = list(source.items())
        return _in_namespace(namespace, pairs) if namespace else pairs
    pairs = [(name, getattr(source, name)) for name in dir(source) if not name.startswith("_")]
    if namespace:
        pairs = _in_namespace(namespace, pairs)
    else:
        pairs = [(name, value) for name, value in pairs if _is_setting_name(name)]
    return [pair for pair in pairs if _is_value(*pair)]


def _in_namespace(namespace: str, pairs: Pairs) -> Pairs:
    prefix = namespace if namespace.endswith("_") else namespace + "_"
    return [(_shortened(prefix, name), value) for name, value in pairs if name.startswith(prefix)]


def _shortened(prefix: str, name: str) -> str:
    # With the namespace CELERY, `CELERY_RESULT_EXPIRES` is `result_expires`; but the old name
    # `CELERY_TASK_RESULT_EXPIRES` is one only as a whole.
    short = name.removeprefix(prefix).lower()
    return name if current_name(short) is None and current_name(name) else short


@cache  # a module has many names that are none, and is read again when one of them changes
def _is_setting_name(name: str) -> bool:
    # A module may have lower-case variables of its own; a misspelt setting is still an error.
    return name.isupper() or current_name(name) is not None or nearest_name(name) is not None


def _is_value(name: str, value: Any) -> bool:
    """Return whether `value` was assigned, not imported as by `from datetime import timezone`."""
    if isinstance(value, type | ModuleType):
        return False
    return not callable(value) or current_name(name) is not None  # a function can be a route


def _import(name: str) -> Any:
    """Import and return "package.module", "package.module:attribute" or "package.attribute".

    Raises ImproperlyConfigured when there is no such thing.
    """
    try:
        return load_module_or_name(name)
    except ModuleNotFoundError as exc:
        raise ImproperlyConfigured(
            f"the configuration {name!r} cannot be imported: {exc}. Is its folder on sys.path?"
        ) from exc
    except AttributeError as exc:
        raise ImproperlyConfigured(f"there is no configuration {name!r}: {exc}") from exc
