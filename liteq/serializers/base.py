"""The `Serializer`: a name and two functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..exceptions import SerializationError

TAG = "__liteq__"
"""The key of a JSON object that stands for a type that JSON lacks: `{TAG: [type, body]}`."""

SIGNED: bytes = b"LQ2\n"
"""Mark the beginning of signed bytes: the version of their format."""

_WHY_SIGNED = "they are signed: give the secret_key, or with a command -A"
_REASON_LIMIT = 1000  # characters; an exception's text can be as long as the value it is about


class Serializer(NamedTuple):
    """A pair of functions from values to bytes and back, which raise only SerializationError."""

    name: str
    dumps: Callable[[Any], bytes]
    loads: Callable[[bytes], Any]
    trusted: bool = False  # True: decoding may run code, so the writer must be trusted


def guarded(
    name: str, dumps: Callable[[Any], bytes], loads: Callable[[bytes], Any], trusted: bool = False
) -> Serializer:
    """Return a serializer of two functions that may raise any exception."""

    def safe_dumps(value: Any) -> bytes:
        try:
            data = dumps(value)
        except SerializationError:
            raise
        except Exception as exc:
            raise SerializationError(f"{name} cannot encode it: {_reason(exc)}") from exc
        if not isinstance(data, bytes):
            raise SerializationError(f"{name} made a {type(data).__name__}; it must make bytes")
        return data

    def safe_loads(data: bytes) -> Any:
        try:
            return loads(data)
        except SerializationError:
            raise
        except Exception as exc:
            why = _WHY_SIGNED if data.startswith(SIGNED) else _reason(exc)
            raise SerializationError(f"{name} cannot decode the bytes: {why}") from exc

    return Serializer(name, safe_dumps, safe_loads, trusted)


def _reason(exc: Exception) -> str:
    if isinstance(exc, RecursionError):
        return "nested too deeply, or it contains itself"
    try:
        text = str(exc)
    except Exception:  # noqa: BLE001 - a user's `__str__` can raise anything
        text = "(and the error has no text)"
    return f"{type(exc).__name__}: {text[:_REASON_LIMIT]}"
