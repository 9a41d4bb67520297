"""Serializers as programs register them with kombu: `kombu.serialization.register`."""

from collections.abc import Callable
from typing import Any

from ..serializers import register_serializer, unregister

__all__ = ["register", "unregister"]

_BINARY = ("binary", "ascii-8bit")


def register(
    name: str,
    encoder: Callable[[Any], str | bytes],
    decoder: Callable[[Any], Any],
    content_type: str | None = None,
    content_encoding: str = "utf-8",
) -> None:
    """Register a serializer as `name`, which settings may also call by its `content_type`.

    `encoder` turns a value into text or bytes. `decoder` gets text in `content_encoding`; bytes if
    that is "binary".
    """
    binary = content_encoding in _BINARY

    def dumps(value: Any) -> bytes:
        data = encoder(value)
        return data.encode(content_encoding) if isinstance(data, str) else data

    def loads(data: bytes) -> Any:
        return decoder(data if binary else data.decode(content_encoding))

    register_serializer(name, dumps, loads, content_type=content_type)
