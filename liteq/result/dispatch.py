"""A call that a coroutine sends: `Dispatch`."""

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
V = TypeVar("V")


class Dispatch(Coroutine[Any, Any, Result], Generic[Result, V]):
    """A call that is sent when this is awaited; that returns its result.

    `result = await add.adelay(1)`, or for the value `await add.adelay(1).aget(timeout=5)`. It is a
    coroutine, which a task of asyncio may run as well.
    """

    __slots__ = ("_sending",)

    def __init__(self, sending: Coroutine[Any, Any, Result]) -> None:
        self._sending = sending

    async def aget(self, timeout: float | None = None, propagate: bool = True) -> V:
        """Send the call, wait for what it is for to finish, and return its value.

        The arguments are those of `aget` of the result. The `timeout` begins once it is sent.
        """
        result: Any = await self._sending
        value: V = await result.aget(timeout, propagate)
        return value

    def __await__(self) -> Generator[Any, Any, Result]:
        return self._sending.__await__()

    def send(self, value: Any) -> Any:
        """Go on, as a coroutine does."""
        return self._sending.send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with an error, as a coroutine does."""
        return self._sending.throw(*error)

    def close(self) -> None:
        """End without having sent it, unless that was done."""
        self._sending.close()
