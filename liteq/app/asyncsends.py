"""Send tasks by name, and many at once, from coroutines."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Unpack, cast

from ..canvas import Signature
from ..result import AsyncResult
from ..result.app import App
from ..result.asynccalls import run_sending
from ..sending.call_options import SendOptions


class AsyncSends:
    """The methods of an application by which coroutines send tasks."""

    send_task: Callable[..., Any]
    enqueue_many: Callable[..., Any]

    async def asend_task(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> AsyncResult[Any]:
        """Send a task by its name, in a coroutine: see `send_task`."""
        sent: AsyncResult[Any] = await run_sending(
            cast(App, self),
            partial(self.send_task, name, args, kwargs, **options),
            in_transaction=options.get("connection") is not None,
        )
        return sent

    async def aenqueue_many(
        self, signatures: Iterable[Signature], **options: Unpack[SendOptions]
    ) -> list[AsyncResult[Any]]:
        """Send many calls in one transaction, in a coroutine: see `enqueue_many`."""
        calls = list(signatures)  # here, as a generator is the caller's own code
        sent: list[AsyncResult[Any]] = await run_sending(
            cast(App, self),
            partial(self.enqueue_many, calls, **options),
            in_transaction=options.get("connection") is not None,
        )
        return sent
