"""Previews of encoded values for people: short, and decoded without running anything.

A pickle can call any function when it is decoded. Here each class and function that it names is a
stand-in, which only remembers what was done with it; so a pickle of a stranger can be shown.
"""

import io
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from reprlib import Repr
from typing import Any, Self
from uuid import UUID

from .json import SERIALIZER as JSON
from .pickle import SERIALIZER as PICKLE
from .signed import unverified

_MOST = 200  # parts of a value that are shown
_TEXT = 120  # characters of a text in it
_TEXT_OF_ERROR = 1000
_LONGEST = 1 << 20  # bytes of a value that is decoded: Python's own unpickler reads 5 MB a second

# What a value of these looks like is worked out from the arguments that a pickle gives. They must
# be written in C, and take bounded time, whatever they are given.
_REBUILT: dict[str, Callable[..., object]] = {
    "datetime.date": date,
    "datetime.datetime": datetime,
    "datetime.time": time,
    "datetime.timedelta": timedelta,
    "datetime.timezone": timezone,
    "decimal.Decimal": Decimal,
}


def preview(data: bytes | None, serializer: str | None) -> str | None:
    """Return a short text of an encoded value; None for no value."""
    if data is None or serializer is None:
        return None
    known, value = _decoded(data, serializer)
    return _Preview().repr(value) if known else f"<{len(data)} bytes of {serializer}>"


def preview_call(payload: bytes, serializer: str) -> str:
    """Return the arguments of a task as they stand in a call: `1, 2, name='x'`."""
    known, value = _decoded(payload, serializer)
    match value:
        case [list() | tuple() as args, dict() as kwargs] if known:
            return _Preview().call(args, kwargs)
    return f"<{len(payload)} bytes of {serializer}>"


def preview_error(data: bytes | None, serializer: str | None) -> str | None:
    """Return the text of an encoded error, as `encode_failure` writes it; None if it is none."""
    if data is None or serializer is None:
        return None
    _, fields = _decoded(data, serializer)
    text = fields.get("exc_repr") if isinstance(fields, dict) else None
    return text[:_TEXT_OF_ERROR] if isinstance(text, str) else None


def _decoded(data: bytes, serializer: str) -> tuple[bool, Any]:
    """Return whether `data` can be shown, and its value, with stand-ins for what is not plain."""
    if len(data) > _LONGEST:
        return False, None
    try:
        if serializer == JSON.name:
            return True, JSON.loads(data)
        if serializer == PICKLE.name:
            return True, _Unpickler(io.BytesIO(unverified(data))).load()
    except Exception:  # noqa: BLE001 - another program can have written anything
        pass
    return False, None


class _StandIn:
    """A class or function that a pickle names, or a value that it makes with one."""

    name = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self.args = args
        self.fields = dict(kwargs)
        self.items = []
        return self

    args: Sequence[Any]
    fields: dict[Any, Any]
    items: list[Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: `__new__` has taken them."""

    def __setstate__(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) else (state,)
        for part in parts:
            if isinstance(part, dict):
                self.fields.update(part)
            elif part is not None:
                self.fields["state"] = part

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))

    def append(self, value: Any) -> None:
        self.items.append(value)

    def extend(self, values: Iterable[Any]) -> None:
        self.items.extend(values)

    def rebuilt(self) -> object:
        """Return the value itself, if that is safe; else this stand-in."""
        try:
            if self.name == "uuid.UUID":
                return UUID(int=self.fields["int"])
            args = [x.rebuilt() if isinstance(x, _StandIn) else x for x in self.args]
            return _REBUILT[self.name](*args)
        except Exception:  # noqa: BLE001 - a pickle can give any arguments
            return self


# In Python, as the one in C can be made to claim all memory. Nothing but `find_class` gives a
# pickle anything that can be called.
class _Unpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        full = name if module == "builtins" else f"{module}.{name}"
        return type("StandIn", (_StandIn,), {"name": full})

    def persistent_load(self, pid: Any) -> Any:
        return None


class _Preview(Repr):
    """A repr of bounded length, which calls no `__repr__` but that of built-in types."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 6
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 20
        self.maxstring = self.maxother = self.maxlong = _TEXT
        self._left = _MOST

    def call(self, args: Sequence[Any], kwargs: Mapping[Any, Any], level: int = 6) -> str:
        """Return arguments as they stand in a call."""
        texts = [self.repr1(each, level) for each in args[:_MOST]]
        for key, value in list(kwargs.items())[:_MOST]:
            texts.append(f"{str(key)[:_TEXT]}={self.repr1(value, level)}")
        return ", ".join(texts)

    def repr1(self, x: Any, level: int) -> str:
        self._left -= 1
        if self._left < 0:
            return "..."
        return super().repr1(x, level)

    def repr_StandIn(self, x: Any, level: int) -> str:  # noqa: N802 - Repr looks for it by this name
        if isinstance(x, type):
            return self.repr_type(x, level)
        value = x.rebuilt()
        if value is not x:
            return repr(value)[:_TEXT]
        if level <= 0:
            return f"{x.name}(...)"
        inside = self.call([*x.args, *x.items], x.fields, level - 1)
        return f"{x.name}({inside})"

    def repr_type(self, x: Any, level: int) -> str:
        return str(getattr(x, "name", x.__name__))

    def repr_int(self, x: int, level: int) -> str:
        return str(x) if abs(x) < 1 << 400 else f"<int of {x.bit_length()} bits>"

    def repr_bytes(self, x: bytes, level: int) -> str:
        return repr(x) if len(x) <= _TEXT else f"{x[:_TEXT]!r}..."

    repr_bytearray = repr_bytes

    def repr_instance(self, x: Any, level: int) -> str:
        """Return the repr of what the JSON serializer makes, and of plain values."""
        try:
            return super().repr_instance(x, level)
        except Exception:  # noqa: BLE001 - of data that we did not write
            return f"<{type(x).__name__}>"
