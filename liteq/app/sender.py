"""Sending calls of tasks by their names, and many calls at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..canvas import Signature, layout
from ..model.message import Message
from ..result import AsyncResult
from ..result.app import App
from ..sending.options import Named, Options, check_arguments, is_linked
from ..sending.producer import Call
from .registry import Registry


class Sender:
    """The sender of an application, which has the tasks `registry`.

    It does not finalize them: a program that only sends need not have imported all tasks.
    """

    def __init__(self, app: App, registry: Registry) -> None:
        self._app = app
        self._registry = registry

    def send(
        self,
        name: str,
        args: Sequence[Any] | None,
        kwargs: Mapping[str, Any] | None,
        options: Options,
    ) -> AsyncResult[Any]:
        """Send the task `name`, with its own options if it is known here."""
        args, kwargs = check_arguments(args, kwargs)
        task = self._registry.get(name)
        if self._app.conf.task_always_eager and task is not None:
            return task.apply(args, kwargs, **options)
        if is_linked(options):
            call = Signature(name, args, kwargs, options)
            return self.send_many([call], {})[0]
        return self._result(self._app.producer.send(task or Named(name), args, kwargs, options))

    def send_many(
        self, signatures: Iterable[Signature], options: Options
    ) -> list[AsyncResult[Any]]:
        """Send many calls in one transaction; return their results in the same order."""
        if self._app.conf.task_always_eager:
            return [each.apply_async(**options) for each in signatures]
        calls = list(signatures)
        if any(map(layout.is_several, calls)):
            return layout.send_copies(self._app, calls, options)
        producer = self._app.producer
        messages = producer.messages(self._call(each, options) for each in calls)
        if messages:
            producer.publish(messages, options)
        return [self._result(message) for message in messages]

    def _call(self, signature: Signature, options: Options) -> Call:
        """Return the call of `signature` for the producer; `options` go before its own."""
        name, args, kwargs = signature["task"], signature["args"], signature["kwargs"]
        own = signature["options"]
        task = self._registry.get(name)
        if task is not None:
            task.check(args, kwargs)
        return task or Named(name), args, kwargs, {**own, **options} if options else own

    def _result(self, message: Message) -> AsyncResult[Any]:
        return AsyncResult(message.id, app=self._app, ignored=message.ignore_result)
