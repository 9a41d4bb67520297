"""Attributes of signatures, which are kept in the dict that a signature is.

To type checkers they are what they hold, also on the class. That needs no overloads, which would
make `import liteq` slower.
"""

from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Item(Generic[T]):
    """An attribute that is an item of the signature."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __get__(self, signature: Any, owner: type) -> T:
        return self if signature is None else signature[self._key]  # type: ignore[return-value]

    def __set__(self, signature: Any, value: T) -> None:
        signature[self._key] = value


class Option(Generic[T]):
    """An attribute that is an option of the call; None when the call does not have it."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __get__(self, signature: Any, owner: type) -> T | None:
        return self if signature is None else signature.options.get(self._key)  # type: ignore[return-value]

    def __set__(self, signature: Any, value: T | None) -> None:
        signature.options[self._key] = value


class Part(Generic[T]):
    """An attribute of a canvas that is kept in its `kwargs`."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __get__(self, canvas: Any, owner: type) -> T:
        return self if canvas is None else canvas.kwargs[self._key]  # type: ignore[return-value]

    def __set__(self, canvas: Any, value: T) -> None:
        canvas.kwargs[self._key] = value
