"""Attributes of signatures, which are kept in the dict that a signature is."""

from typing import Any


class Item:
    """An attribute that is the item of the same name, or of `key`."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __get__(self, signature: Any, owner: type) -> Any:
        return self if signature is None else signature[self._key]

    def __set__(self, signature: Any, value: Any) -> None:
        signature[self._key] = value


class Option:
    """An attribute that is an option of the call."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __get__(self, signature: Any, owner: type) -> Any:
        return self if signature is None else signature.options.get(self._key)

    def __set__(self, signature: Any, value: Any) -> None:
        signature.options[self._key] = value


class Part:
    """An attribute of a canvas that is kept in its `kwargs`."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __get__(self, canvas: Any, owner: type) -> Any:
        return self if canvas is None else canvas.kwargs[self._key]

    def __set__(self, canvas: Any, value: Any) -> None:
        canvas.kwargs[self._key] = value
