"""Sending calls of tasks by their names, and many calls at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ..canvas import Signature, layout
from ..model.message import Message
from ..result import AsyncResult
from ..result.app import App
from ..sending.options import NO_OPTIONS, Named, Options, check_arguments, is_linked
from ..sending.overrides import collected, expected_call, is_expected
from ..sending.producer import Call
from ..task import Task
from ..transactions.joining import joining
from .registry import Registry

_APPLY_ASYNC = Task.apply_async  # kept, as another one may be put in its place


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
        options = dict(options)
        if block := joining(self._app, options):
            with block:
                return self.send(name, args, kwargs, options)
        if expected_call.get() is not None and is_expected(name):
            return AsyncResult(collected(args, kwargs, options), app=self._app)
        args, kwargs = check_arguments(args, kwargs)
        task = self._registry.get(name)
        if self._app.conf.task_always_eager and task is not None:
            return task.apply(args, kwargs, **options)
        if is_linked(options):
            return layout.send_linked(
                self._app, Signature(name, args, kwargs, options, app=self._app)
            )
        call = (task or Named(name), args, kwargs, options)
        if options.get("task_id"):
            message, sent = self._app.producer.send_as(*call)
            return AsyncResult.of_call(message, self._app, sent=sent)
        message, sent = self._app.producer.send(*call)
        return AsyncResult.of_call(message, self._app, sent=sent)

    def send_many(
        self, signatures: Iterable[Signature], options: Options
    ) -> list[AsyncResult[Any]]:
        """Send many calls in one transaction; return their results in the same order.

        Raises TypeError for what is no signature.
        """
        options = dict(options)
        if block := joining(self._app, options):
            with block:
                return self.send_many(signatures, options)
        calls = list(signatures)
        for each in calls:
            if not isinstance(each, dict):
                raise TypeError(
                    "enqueue_many() takes signatures, as task.s(...) makes them, not a "
                    f"{type(each).__name__}: {each!r:.99}; for tuples of arguments of one task "
                    "there is task.delay_many()"
                )
        if self._app.conf.task_always_eager:
            return [each.apply_async(**options) for each in calls]
        if any(map(layout.is_several, calls)) or self._has_override(calls):
            return layout.send_copies(self._app, calls, options)
        producer = self._app.producer
        messages = producer.messages(self._call(each, options) for each in calls)
        if "task_id" in options or any("task_id" in call["options"] for call in calls):
            return self._send_known(messages, options)
        answers = producer.publish(messages, options) if messages else {}
        return self._results(messages, answers)

    def send_calls(
        self, task: Task[..., Any], calls: Iterable[Sequence[Any]]
    ) -> list[AsyncResult[Any]]:
        """Send calls of `task` without options in one transaction; return their results in order.

        It does what `send_many` does with their signatures, which take a quarter of its time.
        """
        if self._app.conf.task_always_eager or self.override_for(task.name) is not None:
            return self.send_many((task.s(*_arguments(args)) for args in calls), NO_OPTIONS)
        producer = self._app.producer
        messages = producer.messages(_plain_calls(task, calls))
        answers = producer.publish(messages) if messages else {}
        return self._results(messages, answers)

    def _send_known(self, messages: Sequence[Message], options: Options) -> list[AsyncResult[Any]]:
        """Send those of `messages`, some of which have ids that were given to them, that are not
        duplicates."""
        duplicates = layout.duplicates_among(self._app, [message.id for message in messages])
        sent = [each for each, duplicate in zip(messages, duplicates, strict=True) if not duplicate]
        answers = self._app.producer.publish(sent, options) if sent else {}
        return [
            AsyncResult.of_call(message, self._app, sent=False)
            if duplicate
            else self._result(message, answers)
            for message, duplicate in zip(messages, duplicates, strict=True)
        ]

    def override_for(self, name: str) -> Callable[..., Any] | None:
        """Return the method of a user's class that is to send the task `name`; None for ours."""
        task = self._registry.get(name)
        if task is not None and type(task).apply_async is not _APPLY_ASYNC:
            return task.apply_async
        return partial(self._app.send_task, name) if self._app.has_own_send_task else None

    def _has_override(self, calls: Iterable[Signature]) -> bool:
        return any(map(self.override_for, {call["task"] for call in calls}))

    def _call(self, signature: Signature, options: Options) -> Call:
        """Return the call of `signature` for the producer; `options` go before its own."""
        name, args, kwargs = signature["task"], signature["args"], signature["kwargs"]
        own = signature["options"]
        task = self._registry.get(name)
        if task is not None:
            task.check(args, kwargs)
        return task or Named(name), args, kwargs, {**own, **options} if options else own

    def _results(
        self, messages: Sequence[Message], answers: Mapping[str, str]
    ) -> list[AsyncResult[Any]]:
        """Return the results of calls; `answers`: as `Producer.publish` returns them."""
        app = self._app
        if not answers:
            return [AsyncResult(each.id, app=app, ignored=each.ignore_result) for each in messages]
        return [self._result(message, answers) for message in messages]

    def _result(self, message: Message, answers: Mapping[str, str]) -> AsyncResult[Any]:
        answer = answers.get(message.id)
        if answer is None:
            return AsyncResult(message.id, app=self._app, ignored=message.ignore_result)
        return AsyncResult.of_call(message._replace(id=answer), self._app, sent=False)


def _plain_calls(task: Task[..., Any], calls: Iterable[Sequence[Any]]) -> Iterator[Call]:
    no_kwargs: dict[str, Any] = {}
    for args in calls:
        task.check(_arguments(args), no_kwargs)
        yield task, args, no_kwargs, NO_OPTIONS


def _arguments(args: Any) -> Sequence[Any]:
    """Return the arguments of a call. Raises TypeError unless they are a tuple or a list."""
    if isinstance(args, tuple | list):
        return args
    raise TypeError(
        f"each call is a tuple or a list of arguments, not a {type(args).__name__}: {args!r:.99}"
    )
