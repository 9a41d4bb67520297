"""Values to bytes and back, by name.

To add one: a file beside this one with a `SERIALIZER`, and its line in `SERIALIZERS`. Programs add
theirs with `register_serializer`, packages by an entry point in the group `liteq.serializers` that
names a `Serializer`.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from ..exceptions import ContentDisallowed, ImproperlyConfigured
from ..support.nearest import did_you_mean, nearest
from ..support.plugins import entry_point_names, load, load_entry_point
from ..support.warning import warn
from .base import Serializer, guarded

__all__ = [
    "SERIALIZERS",
    "Codecs",
    "Serializer",
    "get",
    "register_serializer",
    "unregister",
    "usable",
]

SERIALIZERS = {
    "json": "liteq.serializers.json:SERIALIZER",
    "pickle": "liteq.serializers.pickle:SERIALIZER",
}

ALIASES = {  # content types, which `accept_content` may name as well
    "application/json": "json",
    "application/x-python-serialize": "pickle",
}

_GROUP = "liteq.serializers"  # of entry points
_CURE = "add your own with liteq.serializers.register_serializer(name, dumps, loads)"

_known: dict[str, Serializer] = {}


class Codecs(dict[str, Serializer]):
    """Accepted serializers by name; any other name raises ContentDisallowed."""

    def __init__(self, accept: Iterable[str]) -> None:
        super().__init__((serializer.name, serializer) for serializer in map(get, accept))

    def __missing__(self, name: str) -> Serializer:
        raise ContentDisallowed(
            f"refusing to decode {name!r}: accept_content allows only {', '.join(sorted(self))}"
        )


def get(name: str) -> Serializer:
    """Return the serializer `name`, which may also be a content type such as "application/json".

    Raises ImproperlyConfigured for an unknown name.
    """
    name = ALIASES.get(name, name)
    try:
        return _known[name]
    except KeyError:
        found = _known[name] = _find(name)
        return found


@lru_cache  # sending a task asks for them
def usable(accept: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of those serializers in `accept` (`accept_content`) that are there.

    Others, such as Celery's YAML and msgpack, are left out with a warning. Raises
    ImproperlyConfigured for a name that looks misspelt, and when none is left.
    """
    found = []
    missing = []
    for name in accept:
        try:
            found.append(get(name).name)
        except ImproperlyConfigured:
            if nearest(name, _all_known()):
                raise
            missing.append(name)
    if missing and not found:
        get(missing[0])
    if missing:
        warn(
            f"accept_content names serializers that liteq does not have, {', '.join(missing)}: "
            f"left out; {_CURE}"
        )
    return tuple(found)


def register_serializer(
    name: str,
    dumps: Callable[[Any], bytes],
    loads: Callable[[bytes], Any],
    *,
    trusted: bool = False,
    content_type: str | None = None,
) -> Serializer:
    """Register a serializer as `name` in this process, replacing any other of that name.

    `dumps` turns a value into bytes and `loads` turns them back; whatever they raise reaches the
    caller as SerializationError. `trusted=True` says that decoding may run code, as pickle does.
    `content_type`: another name, by which settings may call it.
    """
    serializer = _known[name] = guarded(name, dumps, loads, trusted)
    if content_type is not None:
        ALIASES[content_type] = name
    usable.cache_clear()
    return serializer


def unregister(name: str) -> None:
    """Undo `register_serializer` for `name`; a built-in serializer is restored."""
    _known.pop(name, None)
    usable.cache_clear()


def _find(name: str) -> Serializer:
    if name in SERIALIZERS:
        serializer: Serializer = load(SERIALIZERS[name])
        return serializer
    plugin: Serializer | None = load_entry_point(_GROUP, name)
    if plugin is not None:
        return guarded(name, plugin.dumps, plugin.loads, plugin.trusted)
    known = _all_known()
    hint = did_you_mean(name, known, f"; known are {', '.join(known)}")
    raise ImproperlyConfigured(f"there is no serializer {name!r}{hint}. {_CURE.capitalize()}")


def _all_known() -> list[str]:
    return sorted({*SERIALIZERS, *_known, *entry_point_names(_GROUP)})
