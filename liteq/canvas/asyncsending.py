"""Send a signature from a coroutine."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Unpack

from ..result import AsyncResult
from ..result.app import App
from ..result.asynccalls import run_sending
from ..result.dispatch import Dispatch
from ..sending.call_options import CanvasOptions


class AsyncSending(dict[str, Any]):
    """The methods of a signature by which coroutines send it."""

    task: Any
    options: Any
    apply_async: Callable[..., Any]
    _plain_apply_async: ClassVar[Callable[..., Any]]
    _merged: Callable[..., Any]
    _mark_links_sent: Callable[[], None]

    @property
    def app(self) -> App:
        """Return the application that it belongs to."""
        raise NotImplementedError

    def adelay(self, *args: Any, **kwargs: Any) -> Dispatch[AsyncResult[Any], Any]:
        """Send it in a coroutine: `result = await add.s(1).adelay(2)`."""
        return self.aapply_async(args, kwargs)

    def aapply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CanvasOptions],
    ) -> Dispatch[AsyncResult[Any], Any]:
        """Send it in a coroutine, with the options of `apply_async`."""
        return Dispatch(self._asend(args, kwargs, options))

    async def _asend(self, args: Any, kwargs: Any, options: Any) -> Any:
        task = self.app.tasks.get(self.task)
        if task is None or type(self).apply_async is not type(self)._plain_apply_async:
            send = partial(self.apply_async, args, kwargs, **options)
            joins = {**self.options, **options}.get("connection") is not None
            return await run_sending(self.app, send, in_transaction=joins)
        args, kwargs, merged = self._merged(args, kwargs, options)
        result = await task.aapply_async(args, kwargs, **merged)
        self._mark_links_sent()
        return result
