"""The producer: it makes messages of calls and sends them."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any, TypeVar

from ..brokers.base import Answers, Broker
from ..config import Config
from ..exceptions import (
    BrokerLocked,
    BrokerUnavailable,
    InvalidTaskError,
    QueueNotFound,
    SerializationError,
)
from ..execution.context import Context, current_run
from ..model.graph import ALONE, Graph
from ..model.message import Message, new_id, new_ids
from ..model.options import notes_of
from ..model.unique import OPTION, has_key
from ..serializers import Serializer, get
from ..signals import after_task_publish, before_task_publish
from .blocks import open_blocks, outlet_of
from .commonfields import Common, CommonFields
from .eta import check_limits, due_at, expires_at
from .formats import argument_serializer, result_serializer, too_large
from .groupcommit import GroupCommits
from .options import (
    NO_OPTIONS,
    Options,
    TaskOptions,
    as_json,
    check_name,
    check_options,
    stored_options,
)
from .publish_signals import send_after_publish, send_before_publish
from .routes import route
from .unique import is_keyed, with_key

Args = Sequence[Any]
Kwargs = Mapping[str, Any]

T = TypeVar("T")
_new = tuple.__new__  # half the time of the named constructor

Call = tuple[TaskOptions, Args, Kwargs, Options]
"""A call to send: its task, arguments, keyword arguments and options."""


class Producer:
    """A producer that makes messages by the settings `conf` and sends them to `broker`."""

    def __init__(self, conf: Config, broker: Broker) -> None:
        self._conf = conf
        self._broker = broker
        self._numbers = count()  # of calls with an id of their own
        self._common = CommonFields(conf, self._make_common)
        self._commits = GroupCommits(self._store)  # for coroutines

    def send(
        self, task: TaskOptions, args: Args, kwargs: Kwargs, options: Options
    ) -> tuple[Message, bool]:
        """Send one call; return its message, and whether it was sent.

        It is not if another task has its unique key: the message has the id of that one then.
        Raises InvalidTaskError when the call cannot be sent, BrokerError when the store fails.
        """
        message = self.message(task, args, kwargs, options)
        answers = self.publish((message,), options)
        if answers:
            return message._replace(id=answers[message.id]), False
        return message, True

    def send_as(
        self, task: TaskOptions, args: Args, kwargs: Kwargs, options: Options
    ) -> tuple[Message, bool]:
        """Send one call under the id that its options give; return its message, and whether it was
        sent.

        A finished task of that id is replaced. One that has not ended is kept, and so is one whose
        result others need: then the call is not sent. Nor is it if another task has its unique key:
        then a task of that id is to end as that one.
        """
        message = self.message(task, args, kwargs, options)
        # The store tells two calls by their moments, also if the clock is coarse or stands still.
        sent = self._broker.clock() + next(self._numbers) % 1000 * 1e-6
        enqueue = partial(outlet_of(self._broker).enqueue_or_replace, sent=sent)
        try:
            stored = enqueue(message, durable=bool(options.get("durable")))
        except BrokerUnavailable as exc:
            stored = self._enqueue_again(enqueue, message, options, exc)
        if stored and after_task_publish.receivers:
            send_after_publish(message)
        return message, stored

    def publish(self, messages: Sequence[Message], options: Options = NO_OPTIONS) -> Answers:
        """Store `messages` in one transaction; with `retry`, try again while the store does not
        answer.

        Returns the ids of the tasks that have the unique keys of those that were not stored, by the
        ids of these. Raises DuplicateTask, and BrokerError when the store fails.
        """
        answers = self._store(messages, options)
        if after_task_publish.receivers:
            for message in messages:
                if message.id not in answers:
                    send_after_publish(message)
        return answers

    def _store(self, messages: Sequence[Message], options: Options) -> Answers:
        outlet = outlet_of(self._broker)
        try:
            return outlet.enqueue(messages, durable=bool(options.get("durable")))
        except BrokerUnavailable as exc:
            return self._enqueue_again(outlet.enqueue, messages, options, exc)

    async def publish_grouped(self, messages: Sequence[Message], options: Options) -> None:
        """Store `messages` in one transaction, perhaps with those of other coroutines.

        A thread does so; otherwise as `publish`.
        """
        await self._commits.publish(messages, options)
        if after_task_publish.receivers:
            for message in messages:
                send_after_publish(message)

    async def run_in_thread(self, send: Callable[[], T]) -> T:
        """Return what `send` returns in the thread that sends for coroutines."""
        return await self._commits.call(send)

    def publish_graph(self, graph: Graph, options: Options = NO_OPTIONS) -> Answers:
        """Store a workflow in one transaction; otherwise as `publish`.

        All tasks keep their ids: those of which another task has the key are to end as that one.
        """
        plain = not graph.groups and all(place == ALONE for place in graph.places)
        if plain and not any(map(has_key, graph.messages)):
            return self.publish(graph.messages, options)
        outlet = outlet_of(self._broker)
        try:
            answers = outlet.enqueue_graph(graph, durable=bool(options.get("durable")))
        except BrokerUnavailable as exc:
            answers = self._enqueue_again(outlet.enqueue_graph, graph, options, exc)
        if after_task_publish.receivers:
            for message in graph.messages:
                send_after_publish(message)
        return answers

    def message(
        self,
        task: TaskOptions,
        args: Args,
        kwargs: Kwargs,
        options: Options = NO_OPTIONS,
        *,
        lineage: bool = True,
    ) -> Message:
        """Return the message of one call, after receivers of `before_task_publish` have seen it.

        `lineage`: with the ids of the task that sends it; those of a member are with its group.
        Raises InvalidTaskError when the call cannot be sent.
        """
        if lineage and not options and task.unique is None and not self._each_differs():
            serializer, fields = self._common.of(task)
            payload = self.encode(task, args, kwargs, serializer)
            return _new(Message, (new_id(), task.name, payload, *fields))
        message = self.template(task, args, kwargs, options, lineage=lineage)
        if before_task_publish.receivers:
            message, args, kwargs = send_before_publish(message, args, kwargs)
            payload = self.encode(task, args, kwargs, get(message.serializer))
            message = message._replace(payload=payload)
        return message

    def messages(self, calls: Iterable[Call]) -> list[Message]:
        """Return the messages of many calls, as `message` makes them.

        What one of them raises has a note which says which one it was.
        """
        made: list[Message] = []
        try:
            self._make(calls, made)
        except Exception as exc:
            exc.add_note(f"It is number {len(made)} of the calls to send together, from 0.")
            raise
        return made

    def _make(self, calls: Iterable[Call], made: list[Message]) -> None:
        """Add the messages of `calls` to `made`."""
        each_differs, ids = self._each_differs(), new_ids()
        known: dict[str, Common] = {}  # by task: looking it up once saves 0.6 us a call
        for task, args, kwargs, options in calls:
            if options or each_differs:
                made.append(self.message(task, args, kwargs, options))
                continue
            name = task.name
            common = known.get(name)
            if common is None:
                if task.unique is not None:
                    made.append(self.message(task, args, kwargs, options))
                    continue
                common = known[name] = self._common.of(task)
            serializer, fields = common
            payload = self.encode(task, args, kwargs, serializer)
            made.append(_new(Message, (next(ids), name, payload, *fields)))

    def _each_differs(self) -> bool:
        """Return whether receivers or routes see each call, and may treat each differently."""
        return bool(before_task_publish.receivers) or self._conf.task_routes is not None

    def _make_common(self, task: TaskOptions) -> Common:
        serializer = self._serializer(task, NO_OPTIONS)
        return Common(serializer, self.envelope(task, b"", serializer.name, NO_OPTIONS)[3:])

    def template(
        self,
        task: TaskOptions,
        args: Args,
        kwargs: Kwargs,
        options: Options = NO_OPTIONS,
        *,
        lineage: bool = True,
    ) -> Message:
        """Return the message of one call, before receivers of signals have seen it.

        Options of the call count before those of the task, then come those of its route, then the
        settings. Raises InvalidTaskError when the call cannot be sent.
        """
        conf = self._conf
        if options:
            check_options(options)
        if conf.task_routes is not None:
            options = _with_route(conf.task_routes, task, args, kwargs, options)
        if is_keyed(task, options):
            options = _with_stored_key(with_key(task, args, kwargs, options))
        serializer = self._serializer(task, options)
        payload = self.encode(task, args, kwargs, serializer)
        return self.envelope(task, payload, serializer.name, options, lineage=lineage)

    def envelope(
        self,
        task: TaskOptions,
        payload: bytes,
        serializer: str,
        options: Options,
        *,
        lineage: bool = True,
    ) -> Message:
        """Return the message of a call whose payload is encoded already."""
        conf = self._conf
        sender = current_run()
        # By position, in the order of the fields: keywords would cost 0.5 us more for each
        # message, and making one takes some 9 us.
        return Message(
            check_name("task id", options["task_id"]) if options.get("task_id") else new_id(),
            task.name,
            payload,
            serializer,
            self._queue(task, options),
            self._priority(task, options, sender),
            self._due_at(options) if options else None,
            self._expires_at(task, options),
            options.get("retries") or 0,
            conf.task_acks_late if task.acks_late is None else task.acks_late,
            self._ignores_result(task, options),
            conf.task_track_started if task.track_started is None else task.track_started,
            _options_of_message(task, options, sender if lineage else None),
        )

    def retry_message(
        self, task: TaskOptions, message: Message, args: Args, kwargs: Kwargs, options: Options
    ) -> Message:
        """Return `message` as it is to be tried again, with these arguments, and with what
        `options` change: its queue, its priority and so on.

        Raises InvalidTaskError when it cannot be sent.
        """
        given = options.get("serializer") or message.serializer
        serializer = argument_serializer(self._conf, self._broker, given, task.name)
        changed: dict[str, Any] = {}
        if options.get("queue") or options.get("routing_key"):
            changed["queue"] = self._queue(task, options)
        if options.get("priority") is not None:
            changed["priority"] = self._priority(task, options, None)
        if "expires" in options:
            changed["expires"] = self._expires_at(task, options)
        if options.get("ignore_result") is not None:
            changed["ignore_result"] = bool(options["ignore_result"])
        if options.get("time_limit") is not None or options.get("soft_time_limit") is not None:
            check_limits(options.get("time_limit"), options.get("soft_time_limit"))
        return message._replace(
            payload=self.encode(task, args, kwargs, serializer),
            serializer=serializer.name,
            options=as_json({**stored_options(options), **notes_of(message)}),
            **changed,
        )

    # the parts of a message

    def _serializer(self, task: TaskOptions, options: Options) -> Serializer:
        """Return the serializer of the arguments of a call, as `argument_serializer` does."""
        given = options.get("serializer") or task.serializer
        serializer = argument_serializer(self._conf, self._broker, given, task.name)
        if self._conf.result_serializer is not None:
            result_serializer(self._conf, self._broker)  # a wrong one would stop each worker
        return serializer

    def encode(
        self, task: TaskOptions, args: Args, kwargs: Kwargs, serializer: Serializer
    ) -> bytes:
        """Return the payload of a call.

        Raises SerializationError, which names the argument that cannot be encoded, and
        PayloadTooLarge.
        """
        try:
            payload = serializer.dumps((args, kwargs))
        except SerializationError as exc:
            raise _encoding_error(serializer, task, args, kwargs, exc) from exc
        limit = self._conf.max_payload_size
        if len(payload) > limit:
            raise too_large(f"the arguments of {task.name} are", payload, limit, send="send")
        return payload

    def _queue(self, task: TaskOptions, options: Options) -> str:
        conf = self._conf
        queue: str | None = options.get("queue") or options.get("routing_key") or task.queue
        if queue is None:
            return conf.task_default_queue
        if not isinstance(queue, str):
            queue = getattr(queue, "name", queue)  # a `kombu.Queue`
        queue = check_name("queue name", queue)
        if not conf.task_create_missing_queues and queue not in (
            conf.task_default_queue,
            *(conf.task_queues or ()),
        ):
            raise QueueNotFound(f"{task.name} goes to {queue!r}, which is not in task_queues")
        return queue

    def _priority(self, task: TaskOptions, options: Options, sender: Context | None) -> int:
        conf = self._conf
        priority = options.get("priority")
        if priority is None:
            priority = task.priority
        if priority is None and conf.task_inherit_parent_priority and sender and sender.message:
            priority = sender.message.priority
        if priority is None:
            return conf.task_default_priority or 0
        if not isinstance(priority, int) or abs(priority) >= 2**31:
            raise InvalidTaskError(f"priority of {task.name} is {priority!r}: give an integer")
        return int(priority)

    def _due_at(self, options: Options) -> float | None:
        return due_at(options.get("countdown"), options.get("eta"), self._broker.clock())

    def _expires_at(self, task: TaskOptions, options: Options) -> float | None:
        expires = options.get("expires", task.expires)
        return None if expires is None else expires_at(expires, self._broker.clock())

    def _ignores_result(self, task: TaskOptions, options: Options) -> bool:
        ignore = options.get("ignore_result")
        if ignore is None:
            ignore = task.ignore_result
        return self._conf.task_ignore_result if ignore is None else bool(ignore)

    def _enqueue_again(
        self, enqueue: Callable[..., T], what: Any, options: Options, exc: BrokerUnavailable
    ) -> T:
        """Try again to store `what`. If it was stored after all, the ids make that harmless.

        Raises `exc`, or the error of the last attempt, when there are no retries (left).
        """
        # A caller that waited for the lock of the store has waited for long enough, and one in a
        # transaction cannot wait.
        waited = isinstance(exc, BrokerLocked) or bool(open_blocks())
        if waited or not options.get("retry", self._conf.task_publish_retry):
            raise exc
        policy = {**self._conf.task_publish_retry_policy, **(options.get("retry_policy") or {})}
        retries, pause = policy.get("max_retries", 3), policy.get("interval_start", 0)
        attempt = 0
        while True:
            attempt += 1
            time.sleep(pause)
            try:
                return enqueue(what, durable=bool(options.get("durable")))
            except BrokerUnavailable:
                if retries is not None and attempt >= retries:
                    raise
            pause = min(pause + policy.get("interval_step", 0.2), policy.get("interval_max", 1))


def _with_stored_key(options: dict[str, Any]) -> Options:
    """Return the options that `with_key` has made as a message stores them."""
    key = options.pop("unique")
    return {**options, OPTION: key.plain()} if key else options


def _with_route(
    routes: Any, task: TaskOptions, args: Args, kwargs: Kwargs, options: Options
) -> Options:
    """Return `options` with those of the task's route that neither the call nor the task sets."""
    routed = route(routes, task.name, args, kwargs, options, task)
    check_options(routed)
    unset = {name: each for name, each in routed.items() if getattr(task, name, None) is None}
    return {**unset, **{name: each for name, each in options.items() if each is not None}}


def _options_of_message(task: TaskOptions, options: Options, sender: Context | None) -> str | None:
    """Return the `options` of a message as JSON: those it stores, and the ids of its sender."""
    hard = options.get("time_limit", task.time_limit)
    soft = options.get("soft_time_limit", task.soft_time_limit)
    if hard is not None or soft is not None:
        check_limits(hard, soft)
    found = stored_options(options) if options else {}
    if sender is not None:
        found.setdefault("root_id", sender.root_id)
        found.setdefault("parent_id", sender.id)
    return as_json(found)


def _encoding_error(
    serializer: Serializer, task: TaskOptions, args: Args, kwargs: Kwargs, exc: SerializationError
) -> SerializationError:
    """Return the error that names the argument which cannot be encoded."""
    named = [(f"args[{n}]", value) for n, value in enumerate(args)]
    named += [(f"kwargs[{name!r}]", value) for name, value in kwargs.items()]
    for name, value in named:
        try:
            serializer.dumps(value)
        except SerializationError as reason:
            return SerializationError(f"cannot send {task.name}: {name}: {reason}")
    return SerializationError(f"cannot send {task.name}: {exc}")
