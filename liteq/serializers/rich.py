"""The types that JSON lacks, and their encoding in JSON.

To add one: its line in `TAGGED_TYPES`. This module is imported when the first such value is found,
so that programs that send plain values do not pay for its imports.
"""

import binascii
import reprlib
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import Path, PurePath
from typing import Any, NamedTuple
from uuid import UUID

from ..exceptions import SerializationError
from .base import TAG


class TaggedType(NamedTuple):
    """A type of values that are written as `encode(value)`, and read by `decode`."""

    name: str
    cls: type[Any]
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _encode_bytes(value: bytes) -> str:
    return binascii.b2a_base64(value, newline=False).decode()


def _decode_bytes(text: str) -> bytes:
    return binascii.a2b_base64(text, strict_mode=True)


def _encode_timedelta(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _encode_set(value: set[Any] | frozenset[Any]) -> list[Any]:
    members = [tagged(member) for member in value]
    if not all(map(_stays_hashable, members)):
        raise SerializationError("a set of dataclasses cannot be read back from JSON; use a list")
    return members


def _stays_hashable(member: Any) -> bool:
    if isinstance(member, list):
        return all(map(_stays_hashable, member))
    return not isinstance(member, dict) or TAG in member


def _hashable(member: Any) -> Any:
    # A list cannot be in a set, so a list here was a tuple when it was written.
    return tuple(map(_hashable, member)) if isinstance(member, list) else member


# A class comes before its base classes: a datetime is a date.
TAGGED_TYPES = (
    TaggedType("datetime", datetime, datetime.isoformat, datetime.fromisoformat),
    TaggedType("date", date, date.isoformat, date.fromisoformat),
    TaggedType("time", time, time.isoformat, time.fromisoformat),
    TaggedType("timedelta", timedelta, _encode_timedelta, lambda parts: timedelta(*parts)),
    TaggedType("decimal", Decimal, str, Decimal),
    TaggedType("uuid", UUID, str, UUID),
    TaggedType("bytes", bytes, _encode_bytes, _decode_bytes),
    TaggedType("bytearray", bytearray, _encode_bytes, lambda text: bytearray(_decode_bytes(text))),
    TaggedType("set", set, _encode_set, lambda members: set(map(_hashable, members))),
    TaggedType(
        "frozenset", frozenset, _encode_set, lambda members: frozenset(map(_hashable, members))
    ),
    TaggedType("path", PurePath, str, Path),
    TaggedType("float", float, str, float),  # nan and the infinities: the others are JSON
)


def _decode_dict(pairs: list[Any]) -> dict[Any, Any]:
    return {_hashable(key): value for key, value in pairs}


# A dict with keys that are no text, or with our tag as a key, is written as a list of pairs.
_DECODE = {each.name: each.decode for each in TAGGED_TYPES} | {"dict": _decode_dict}


def tagged(value: Any) -> Any:
    """Return `value` in JSON's own types; values of other types are tagged.

    Tuples become lists, a member of an enum its value, a dataclass the dict of its fields, a model
    of pydantic what it dumps, a lazy text of Django a text, and what has a method `__json__` what
    that returns.
    Raises SerializationError for a type that is not known here, and for a key that could not be
    one again.
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, list | tuple):
        return [tagged(member) for member in value]
    if isinstance(value, dict):
        return _tagged_dict(value)
    for each in TAGGED_TYPES:
        if isinstance(value, each.cls):
            return {TAG: [each.name, each.encode(value)]}
    return _as_simpler(value)


def _as_simpler(value: Any) -> Any:
    """Return a value of a type that is not restored, in JSON's own types."""
    if isinstance(value, Enum):
        return tagged(value.value)
    if hasattr(type(value), "__dataclass_fields__"):
        return _tagged_dict(_fields(value))
    if hasattr(type(value), "model_dump"):  # a model of pydantic
        return tagged(value.model_dump(mode="json", by_alias=True))
    if hasattr(type(value), "__json__"):
        return tagged(value.__json__())
    if _is_lazy_text(value):
        return str(value)
    raise SerializationError(
        f"JSON cannot carry a value of the type {type(value).__qualname__!r}; send what it is"
        " made of, or use serializer='pickle'"
    )


def _tagged_dict(value: dict[Any, Any]) -> dict[str, Any]:
    members = {key: tagged(member) for key, member in value.items()}
    if TAG not in members and all(isinstance(key, str) for key in members):
        return members
    return {TAG: ["dict", [[_tagged_key(key), member] for key, member in members.items()]]}


def _tagged_key(key: Any) -> Any:
    found = tagged(key)
    if not _stays_hashable(found):
        raise SerializationError(
            f"a dict has the key {reprlib.repr(key)}, which JSON cannot carry as a key;"
            " use str(key), or serializer='pickle'"
        )
    return found


def _is_lazy_text(value: Any) -> bool:
    django = sys.modules.get("django.utils.functional")  # there is none before it is imported
    return django is not None and isinstance(value, django.Promise)


def _fields(value: Any) -> dict[str, Any]:
    from dataclasses import fields

    return {field.name: getattr(value, field.name) for field in fields(value)}


def untagged(value: dict[str, Any]) -> Any:
    """Return the value that a JSON object stands for; without a tag it is a dict."""
    if TAG not in value:
        return value
    try:
        ((_, (name, body)),) = value.items()
        decode = _DECODE[name]
    except (KeyError, TypeError, ValueError):
        raise SerializationError(
            f"the JSON has a {TAG!r} tag that this version of liteq does not know"
        ) from None
    try:
        return decode(body)
    except Exception as exc:
        raise SerializationError(f"the JSON has a {name} that is none: {exc}") from exc
