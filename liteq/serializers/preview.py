"""Previews of encoded values for people: short, and made without running anything of them."""

import json
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, timezone
from itertools import islice
from typing import Any

from ..support.printable import one_line
from .base import TAG
from .json import SERIALIZER as JSON
from .pickle import SERIALIZER as PICKLE
from .pickle_reader import Items, Made, Named, Pairs, read_pickle
from .rich import untagged
from .signed import unverified

_LONGEST = 64 * 1024  # bytes of a value of which more than its size is shown
_PARTS = 200  # of a value that are shown
_MEMBERS = 20  # of a list, set or dict that are shown
_DEPTH = 6
_TEXT = 120  # characters of a text in it
_TEXT_OF_ERROR = 1000
_LONGEST_INTEGER = 400  # bits

# Types that are shown without their module, as Python shows them.
_PLAIN_NAMES = {"decimal.Decimal": "Decimal", "uuid.UUID": "UUID"}
# What JSON has tags for, and can be decoded from a short text in a bounded time.
_SHORT_TAGS = ("datetime", "date", "time", "timedelta", "decimal", "uuid", "bytes", "path")
_MOMENTS: dict[str, Any] = {
    "datetime.datetime": datetime,
    "datetime.date": date,
    "datetime.time": time,
    "datetime.timedelta": timedelta,
    "datetime.timezone": timezone,
}


def preview(data: bytes | None, serializer: str | None) -> str | None:
    """Return a short text of an encoded value, on one line; None for no value."""
    if data is None or serializer is None:
        return None
    try:
        return _Preview().text(_read(data, serializer))
    except _UNREADABLE:
        return f"<{len(data)} bytes of {one_line(serializer)}>"


def preview_call(payload: bytes, serializer: str) -> str:
    """Return the arguments of a task as they stand in a call: `1, 2, name='x'`."""
    try:
        args, kwargs = _list(_read(payload, serializer))
        return _Preview().call(_list(args), _pairs(kwargs))
    except _UNREADABLE:
        return f"<{len(payload)} bytes of {one_line(serializer)}>"


def preview_error(data: bytes | None, serializer: str | None) -> str | None:
    """Return the text of an encoded error, as `encode_failure` writes it; None if it is none."""
    if data is None or serializer is None:
        return None
    try:
        fields = _pairs(_read(data, serializer))
    except _UNREADABLE:
        return None
    texts = (value for name, value in fields if name == "exc_repr" and isinstance(value, str))
    return next((one_line(text[:_TEXT_OF_ERROR]) for text in texts), None)


_UNREADABLE = (ValueError, TypeError, RecursionError)


def _read(data: bytes, serializer: str) -> Any:
    """Return what stands for the value. Raises one of _UNREADABLE if it cannot be shown."""
    if len(data) > _LONGEST:
        raise ValueError("it is too long")
    if serializer == JSON.name:
        return json.loads(data)
    if serializer == PICKLE.name:
        return read_pickle(unverified(data))
    raise ValueError("it is of a serializer of somebody's own")


def _list(value: Any) -> list[Any]:
    items = value.items if isinstance(value, Items) else value
    if not isinstance(items, list):
        raise TypeError("it is no list")
    return items


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Pairs):
        return value.pairs
    if isinstance(value, dict):
        return list(value.items())
    raise TypeError("it is no dict")


class _Preview:
    """A text of bounded length."""

    def __init__(self) -> None:
        self._left = _PARTS

    def call(
        self, args: list[Any], pairs: Iterable[tuple[Any, Any]] = (), depth: int = _DEPTH
    ) -> str:
        """Return arguments as they stand in a call."""
        texts = self._some(args, depth)
        for key, value in pairs:
            if self._left <= 0 or len(texts) > 2 * _MEMBERS:
                texts.append("...")
                break
            name = one_line(key[:_TEXT]) if isinstance(key, str) else self.text(key, depth)
            texts.append(f"{name}={self.text(value, depth)}")
        return ", ".join(texts)

    def text(self, value: Any, depth: int = _DEPTH) -> str:
        """Return the text of what stands for a value."""
        self._left -= 1
        if self._left < 0:
            return "..."
        match value:
            case None | bool() | float():
                return repr(value)
            case int():
                size = value.bit_length()
                return repr(value) if size <= _LONGEST_INTEGER else f"<int of {size} bits>"
            case str() | bytes() | bytearray():
                return _clipped(value)
            case Named(name):
                return _name(name)
            case _:
                return self._compound(value, depth)

    def _compound(self, value: Any, depth: int) -> str:
        match value:
            case Made():
                return self._made(value, depth)
            case Items(start, end, items):
                return self._items(start, items, end, depth)
            case list():
                return self._items("[", value, "]", depth)
            case dict() if TAG in value:
                return self._tagged(value, depth)
            case _:
                return self._dict(_pairs(value), depth)

    def _some(self, values: Iterable[Any], depth: int) -> list[str]:
        texts: list[str] = []
        for number, value in enumerate(values):
            if number == _MEMBERS:
                return [*texts, "..."]
            texts.append(self.text(value, depth))
            if self._left < 0:
                break
        return texts

    def _items(self, start: str, items: list[Any], end: str, depth: int) -> str:
        if start == "{" and not items:
            return "set()"
        if depth <= 0 and items:
            return f"{start}...{end}"
        one = "," if start == "(" and len(items) == 1 else ""
        return f"{start}{', '.join(self._some(items, depth - 1))}{one}{end}"

    def _dict(self, pairs: list[tuple[Any, Any]], depth: int) -> str:
        if depth <= 0 and pairs:
            return "{...}"
        texts: list[str] = []
        for key, value in pairs[:_MEMBERS]:
            texts.append(f"{self.text(key, depth - 1)}: {self.text(value, depth - 1)}")
            if self._left < 0:
                break
        more = ["..."] if len(pairs) > _MEMBERS else []
        return f"{{{', '.join(texts + more)}}}"

    def _made(self, value: Made, depth: int) -> str:
        moment = _moment(value)
        if moment is not None:
            return repr(moment)
        name = self.text(value.what, depth - 1)
        if depth <= 0:
            return f"{name}(...)"
        states = (pair for state in value.states for pair in _attributes(state))
        pairs = list(islice(states, 2 * _MEMBERS))
        if name == "UUID" and [key for key, _ in pairs] == ["int"] and isinstance(pairs[0][1], int):
            return f"UUID('{_uuid(pairs[0][1])}')"
        return (
            f"{name}({self.call([*value.args[:_PARTS], *value.items[:_PARTS]], pairs, depth - 1)})"
        )

    def _tagged(self, value: dict[str, Any], depth: int) -> str:
        """Return the text of a type that JSON lacks, see `rich`."""
        name, body = _list(value[TAG])
        if name in _SHORT_TAGS and len(str(body)[: _TEXT + 1]) <= _TEXT:
            return repr(untagged(value))
        if name == "dict":
            return self._dict([(key, each) for key, each in _list(body)], depth)
        if name in ("set", "frozenset"):
            start, end = ("{", "}") if name == "set" else ("frozenset({", "})")
            return self._items(start, _list(body), end, depth)
        return f"{_name(str(name))}({self.text(body, depth - 1)})"


def _clipped(value: Any) -> str:
    return one_line(repr(value) if len(value) <= _TEXT else f"{value[:_TEXT]!r}...")


def _attributes(state: Any) -> list[tuple[Any, Any]]:
    """Return the attributes in what is given to an object as its state."""
    if isinstance(state, Pairs):
        return state.pairs
    if isinstance(state, Items) and all(
        each is None or isinstance(each, Pairs) for each in state.items[:2]
    ):
        return [pair for each in state.items[:2] if each for pair in each.pairs[:_PARTS]]
    return [] if state is None else [("state", state)]


def _name(name: str) -> str:
    return one_line(_PLAIN_NAMES.get(name, name)[:_TEXT])


def _uuid(number: int) -> str:
    digits = f"{number % 2**128:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _moment(value: Any, depth: int = 3) -> object:
    """Return the date, time or time span that `value` stands for; None if it is none.

    `depth`: a moment has a time zone, which has a time span.
    """
    if not (isinstance(value, Made) and isinstance(value.what, Named)) or not depth:
        return None
    make = _MOMENTS.get(value.what.name)
    if make is None or value.states or value.items or len(value.args) > 3:
        return None
    args = [_moment(each, depth - 1) if isinstance(each, Made) else each for each in value.args]
    try:
        return make(*args)
    except (TypeError, ValueError, OverflowError):
        return None
