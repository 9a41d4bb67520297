"""The types of settings: which values they take, and how these are checked and converted."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ..exceptions import ImproperlyConfigured
from ..support.urls import safe_url
from ..support.zones import as_zone

CENSORED = "********"


def repr_within_bounds(value: Any) -> str:
    """Return a short repr for error messages, even when the value's own `__repr__` fails."""
    from reprlib import repr as bounded

    return bounded(value)


def _unchanged(value: Any) -> Any:
    return value


class SettingType(NamedTuple):
    """A type of values, with the words in which an error names it.

    `convert` returns the value as it is kept; when it raises TypeError, ValueError, LookupError or
    OSError, the value is not of the type. `censor` returns the value with its secrets masked.
    """

    expected: str
    convert: Callable[[Any], Any]
    censor: Callable[[Any], Any] = _unchanged


def converted(what: str, value: Any, type: SettingType) -> Any:
    """Return `value` as it is kept. Raises ImproperlyConfigured, which calls it `what`."""
    try:
        return type.convert(value)
    except (TypeError, ValueError, LookupError, OSError):
        shown = repr_within_bounds(type.censor(value))
        raise ImproperlyConfigured(f"{what} is {shown}, but must be {type.expected}") from None


def _flag(value: Any) -> bool:
    if value in {True, False}:  # 1 and 0 as well
        return bool(value)
    raise ValueError


def _text(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise TypeError


def _url(value: Any) -> str:
    """Return a URL, or several in a list as Celery joins them."""
    return ";".join(map(_text, value)) if isinstance(value, list | tuple) else _text(value)


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TypeError


def _count(value: Any) -> int:
    if _integer(value) >= 1:
        return int(value)
    raise ValueError


def _seconds(value: Any) -> float:
    seconds = value.total_seconds() if hasattr(value, "total_seconds") else value
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < _MAX:
        return float(seconds)
    raise ValueError  # also for NaN


_MAX = 1e11  # seconds, some 3000 years: a time that far away still has a date


def _limit(value: Any) -> float:
    if seconds := _seconds(value):
        return seconds
    raise ValueError


def _lifetime(value: Any) -> float | None:
    return None if value is None else _seconds(value) or None


def _names(value: Any) -> tuple[str, ...]:
    # A string alone is one name: the comma of a tuple of one is easily forgotten.
    names: Iterable[Any] = (value,) if isinstance(value, str) else value
    return tuple(_text(name) for name in names)


def _queues(value: Any) -> tuple[str, ...]:
    """Return the names in a list of names or of kombu's queues, or in the keys of a dict."""
    queues = (value,) if isinstance(value, str) else value
    return tuple(_text(getattr(queue, "name", queue)) for queue in queues)


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value  # itself, not a copy: programs change it in place
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _rules(value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple | str) or callable(value):
        return value
    raise TypeError


def _pool(value: Any) -> str:
    name = _text(value)
    return "processes" if name in {"prefork", "processes"} else name


def _level(value: Any) -> str | int:
    if isinstance(value, str) and value.upper() in _LEVELS:
        return value.upper()
    return _integer(value)


_LEVELS = {"DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL"}


def _timezone(value: Any) -> Any:
    as_zone(value)
    return value


def _key(value: Any) -> str | bytes:
    if isinstance(value, str | bytes) and value:
        return value
    raise TypeError


def _censored_key(value: Any) -> Any:
    return value if value in ("", b"") else CENSORED  # an empty one is no secret, but the fault


FLAG = SettingType("True or False", _flag)
TEXT = SettingType("a text", _text)
URL = SettingType("a URL such as 'sqlite:///tasks.db'", _url, safe_url)
INTEGER = SettingType("an integer", _integer)
COUNT = SettingType("an integer of at least 1", _count)
SECONDS = SettingType("a number of seconds or a timedelta, 0 or more", _seconds)
LIMIT = SettingType("a number of seconds or a timedelta, more than 0", _limit)
LIFETIME = SettingType("a number of seconds, a timedelta, or None for ever", _lifetime)
NAMES = SettingType("a list of names", _names)
QUEUES = SettingType("a list of queue names", _queues)
MAPPING = SettingType("a dict", _mapping)
RULES = SettingType("a dict, a list, a function or the dotted name of one", _rules)
POOL = SettingType("the name of a pool: 'processes', 'threads', 'asyncio' or 'solo'", _pool)
LEVEL = SettingType("a log level such as 'WARNING'", _level)
TIMEZONE = SettingType(
    "the name of a time zone that is known here, such as 'Europe/Paris'"
    " (without a database of zones: pip install tzdata)",
    _timezone,
)
KEY = SettingType("a text or bytes, not empty", _key, _censored_key)
