"""Sending a task in a coroutine, without waiting for the store: `adelay`, `aapply_async`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast

from ..sending.blocks import open_blocks
from ..sending.call_options import CallOptions
from ..sending.options import TaskOptions, check_arguments, is_linked
from ..sending.overrides import expected_call
from .app import App
from .async_result import AsyncResult
from .dispatch import Dispatch

P = ParamSpec("P")
R = TypeVar("R")

_NOT_PLAIN = frozenset(
    {
        *("connection", "countdown", "eta", "expires"),
        *("unique", "debounce", "debounce_max", "throttle"),
    }
)


class AsyncCalls(TaskOptions, Generic[P, R]):
    """The methods of a task by which coroutines send it.

    A thread stores what they send: all that has gathered in one transaction.
    """

    app: App
    apply_async: Callable[..., AsyncResult[R]]

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raise TypeError when the task does not take these arguments."""
        raise NotImplementedError

    def adelay(self, *args: P.args, **kwargs: P.kwargs) -> Dispatch[AsyncResult[R], R]:
        """Send it with these arguments, in a coroutine: `result = await add.adelay(1, 2)`, or
        for its value `await add.adelay(1, 2).aget()`. See `aapply_async`."""
        return Dispatch(self._asend(args, kwargs, None, {}))

    def aapply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Dispatch[AsyncResult[R], R]:
        """Send it with options of this call, in a coroutine; those of `apply_async`.

        Calls that are sent at the same time share a transaction. When the coroutine is cancelled
        meanwhile, the call may be sent or not. Raises what `apply_async` raises.
        """
        return Dispatch(self._asend(args, kwargs, task_id, cast("dict[str, Any]", options)))

    async def adelay_many(self, calls: Iterable[Sequence[Any]]) -> list[AsyncResult[R]]:
        """Send it once with each of `calls`, all or none, in a coroutine: see `delay_many`."""
        send = partial(self.app.send_calls, self, list(calls))
        results: list[AsyncResult[R]] = await run_sending(self.app, send)
        return results

    async def _asend(
        self, args: Any, kwargs: Any, task_id: str | None, options: dict[str, Any]
    ) -> AsyncResult[R]:
        app = self.app
        if task_id is not None or not self._is_sent_plainly(options):
            send = partial(self.apply_async, args, kwargs, task_id=task_id, **options)
            joins = options.get("connection") is not None
            result: AsyncResult[R] = await run_sending(app, send, in_transaction=joins)
            return result
        args, kwargs = check_arguments(args, kwargs)
        self.check(args, kwargs)
        message = app.producer.message(self, args, kwargs, options)
        await app.producer.publish_grouped((message,), options)
        return AsyncResult(message.id, app=app, ignored=message.ignore_result)

    def _is_sent_plainly(self, options: Mapping[str, Any]) -> bool:
        """Return whether a call is one message, which nobody has an own way to send, and for which
        the store is not asked for the time."""
        app = self.app
        return not (
            app.conf.task_always_eager
            or open_blocks()
            or self.expires is not None
            or self.unique is not None
            or not _NOT_PLAIN.isdisjoint(options)
            or expected_call.get() is not None
            or (options and (is_linked(options) or options.get("task_id")))
            or app.override_for(self.name) is not None
        )


async def run_sending(app: App, send: Callable[[], Any], *, in_transaction: bool = False) -> Any:
    """Return what `send` returns, which sends something, in a thread that may wait.

    An eager application runs the task, in a thread of its own. What is sent in the transaction of a
    connection is sent here: another thread may not use that.
    """
    if open_blocks() or in_transaction:
        return send()
    if app.conf.task_always_eager:
        from asyncio import to_thread  # 50 ms, which programs without coroutines do not pay

        return await to_thread(send)
    return await app.producer.run_in_thread(send)
