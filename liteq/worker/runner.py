"""The runner of deliveries: the only code of a worker that meets user data and user code."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from math import inf
from time import monotonic, perf_counter
from typing import Any

from ..app import LiteQ
from ..brokers.base import WorkerInfo
from ..brokers.serving import one_with
from ..canvas.layout import gathering, replacement
from ..exceptions import (
    BrokerError,
    InvalidTaskError,
    NotRegistered,
    PayloadTooLarge,
    Replaced,
    ResultNotSerializable,
    SerializationError,
)
from ..execution.attempt import Ending, attempt
from ..execution.context import Context, outside_of_tasks
from ..execution.failure import as_error, bounded_repr, describe, stored_failure, traceback_text
from ..execution.steps import Suspended
from ..model.message import Delivery, Message
from ..model.options import with_notes
from ..model.outcome import Kind, Outcome
from ..pools.base import KeepStep, SendState
from ..pools.output import Outputs, RunOutput
from ..result import ResultBase
from ..sending.eta import due_at, moment
from ..sending.formats import argument_codecs, result_codecs, result_serializer, too_large
from ..signals import task_received, task_rejected, task_unknown
from ..states import FAILURE, STARTED
from ..task import Task
from .completion import TaskCompletion
from .definitions import Definitions
from .inputs import with_inputs, without_inputs
from .output import keeps_output
from .steps import WorkerSteps
from .timelimits import TimeLimits, unwrap

_INHERITED = ("parent_id", "headers")
_SHORTEST_LEFT = 0.5  # seconds until a task that is unknown here may be claimed once more
_LEFT_LONGER = 1.5  # times as long at each next attempt, up to 29 seconds
_SHORTEST_SNOOZE = 0.1  # seconds
_READ_EVERY = 1.0  # seconds between two looks at which other workers are up
_MEMBERSHIP = ("group_id", "group_index", "chord")


class Runner:
    """Runs the tasks of `app` for the worker `hostname`, in any number of threads.

    `describe`: give each success a note for the log; failures always have one. `keep`: has the
    supervisor write the steps of tasks; without it, the runner does. `outputs`: takes what tasks
    print and log; without it, that is not kept.
    """

    def __init__(
        self,
        app: LiteQ,
        *,
        hostname: str,
        describe: bool,
        report: SendState,
        keep: KeepStep | None = None,
        outputs: Outputs | None = None,
    ) -> None:
        conf, broker = app.conf, app.broker
        self._app = app
        self._pid = os.getpid()
        self._tasks = app.tasks
        self._hostname = hostname
        self._describe = describe
        self._report = report
        self._codecs = argument_codecs(conf, broker)
        self._result_codecs = result_codecs(conf, broker)
        self._serializer = result_serializer(conf, broker)
        self._limit = conf.max_payload_size
        self._stores_errors = conf.task_store_errors_even_if_ignored
        self._clock = broker.clock
        self._other_workers: list[WorkerInfo] = []
        self._others_read = -inf
        self._producer = app.producer
        self._definitions = Definitions.of_tasks(app.tasks, conf)
        self._tracked = self._definitions.tracked()
        self._outputs = outputs
        self._keeps_output = conf.task_keep_output
        self._steps = WorkerSteps(app, keep)
        self._completion = TaskCompletion(app, self._encoded_if_wanted)
        self._soft = TimeLimits.of_tasks("soft_time_limit", app.tasks, conf.task_soft_time_limit)

    def run(self, delivery: Delivery) -> Outcome:
        """Run one delivery to its end. Never raises."""
        since = perf_counter()
        try:
            delivery, soft = unwrap(delivery, self._soft)
            return self._run(self._definitions.apply(delivery), soft, since)
        except BaseException as exc:  # noqa: BLE001 - a limit can strike anywhere, in our code too
            return self._failed(delivery, None, exc, since)

    def _run(self, delivery: Delivery, soft: TimeLimits, since: float) -> Outcome:
        message = delivery.message
        task = self._tasks.get(message.task)
        if task is None:
            return self._left_to_others(delivery, since) or self._unknown(message, since)
        args, kwargs = self._arguments(message)
        if delivery.inputs is not None:
            args = with_inputs(task, delivery, args, kwargs, self._codecs, self._result_codecs)
        context = Context(delivery, args, kwargs, self._hostname)
        context.in_worker = True
        context.pid = self._pid
        context.running = task
        context.report = self._report_state
        context.step_store = self._steps
        context.settle = self._completion
        context.soft_limit = soft.of(message)
        if message.task in self._tracked and not message.track_started:
            self._report_state(message.id, STARTED, {"pid": self._pid, "hostname": self._hostname})
        if task_received.receivers:
            task_received.send(sender=task, request=context)
        return self._outcome(context, task, self._attempt(task, context, message), since)

    def _attempt(self, task: Task[..., Any], context: Context, message: Message) -> Ending:
        """Run the code of `task`; note when it has ended, after which no output is kept."""
        keeps = self._keeps_output
        if task.keep_output is not None or message.options is not None:  # seldom
            keeps = keeps_output(task, message, keeps)
        if self._outputs is None or not keeps:
            return attempt(task, context)
        assert context.delivery is not None
        context.output = output = RunOutput(context.delivery, self._outputs)
        try:
            return attempt(task, context)
        finally:
            output.ended = True

    def _outcome(
        self, context: Context, task: Task[..., Any], ending: Ending, since: float
    ) -> Outcome:
        delivery = context.delivery
        assert delivery is not None
        match ending.kind:
            case Kind.SUCCEEDED:
                settled = context.settled
                return self._succeeded(delivery, task, ending.value, since, settled=settled)
            case Kind.RETRY:
                return self._retried(delivery, task, ending, since)
            case Kind.REPLACED:
                return self._replaced(context, ending.value, since)
            case Kind.SNOOZED | Kind.SLEPT | Kind.AWAITED | Kind.GATHERED:
                return self._suspended(context, task, ending, since)
            case Kind.FAILED | Kind.REJECTED:
                failed = self._failed(delivery, task, ending.value, since, ending.kind)
                return failed._replace(exhausted=context.exhausted)
        outcome = Outcome(ending.kind, None, None, perf_counter() - since, describe(ending.value))
        if ending.kind is Kind.IGNORED and context.reported is not None:
            return self._ignored(outcome, *context.reported)
        return outcome

    def _arguments(self, message: Message) -> tuple[Sequence[Any], Mapping[str, Any]]:
        try:
            return self._decoded(message)
        except InvalidTaskError as exc:
            if task_rejected.receivers:
                task_rejected.send(sender=None, message=message, exc=exc)
            raise

    def _decoded(self, message: Message) -> tuple[Sequence[Any], Mapping[str, Any]]:
        payload = self._codecs[message.serializer].loads(message.payload)
        try:
            args, kwargs = payload
            if isinstance(args, list | tuple) and isinstance(kwargs, dict):
                return args, kwargs
        except (TypeError, ValueError):
            pass
        raise InvalidTaskError(
            f"the payload of {message.task} must be [args, kwargs]; it is {bounded_repr(payload)}"
        )

    # outcomes

    def _succeeded(
        self,
        delivery: Delivery,
        task: Task[..., Any],
        value: Any,
        since: float,
        *,
        settled: bool = False,
    ) -> Outcome:
        data = None
        # Tasks that wait for it take its result, even if it is ignored otherwise.
        if not settled and (delivery.tied or not delivery.ignore_result):
            try:
                data = self._encoded(task, value)
            except (ResultNotSerializable, PayloadTooLarge) as exc:
                return self._failed(delivery, task, exc, since)
        note = bounded_repr(value, task.resultrepr_maxsize) if self._describe else ""
        name = None if data is None else self._serializer.name
        outcome = Outcome(Kind.SUCCEEDED, data, name, perf_counter() - since, note)
        return outcome._replace(settled=True) if settled else outcome

    def _encoded_if_wanted(self, context: Context, value: Any) -> tuple[bytes | None, str | None]:
        delivery = context.delivery
        assert delivery is not None
        if delivery.message.ignore_result and not delivery.tied:
            return None, None
        return self._encoded(self._tasks[delivery.message.task], value), self._serializer.name

    def _encoded(self, task: Task[..., Any], value: Any) -> bytes:
        if isinstance(value, ResultBase):
            value = value.as_tuple()
        try:
            data = self._serializer.dumps(value)
        except SerializationError as exc:
            kind = type(value).__name__
            raise ResultNotSerializable(f"{task.name} returned a {kind}: {exc}") from None
        return self._within_bounds(data, f"what {task.name} returned")

    def _within_bounds(self, data: bytes, what: str) -> bytes:
        if len(data) > self._limit:
            raise too_large(f"{what} is", data, self._limit)
        return data

    def _failed(
        self,
        delivery: Delivery,
        task: Task[..., Any] | None,
        exc: BaseException,
        since: float,
        kind: Kind = Kind.FAILED,
    ) -> Outcome:
        stores = task.store_errors_even_if_ignored if task else None
        if stores is None:
            stores = self._stores_errors
        data = name = None
        if stores or delivery.tied or not delivery.ignore_result:
            data, name = stored_failure(exc, self._serializer)
        return Outcome(
            kind,
            data,
            name,
            perf_counter() - since,
            describe(exc),
            traceback_text(exc),
            expected=task is not None and isinstance(exc, tuple(task.throws)),
        )

    def _retried(
        self, delivery: Delivery, task: Task[..., Any], ending: Ending, since: float
    ) -> Outcome:
        retry, reason = ending.retry, ending.value
        assert retry is not None
        again = None
        if retry.sig is not None:  # with other arguments or options than this time
            sig = retry.sig
            call = (sig.args, sig.kwargs, sig.options)
            message = self._producer.retry_message(task, delivery.message, *call)
            again = without_inputs(message) if delivery.inputs is not None else message
        return Outcome(
            Kind.RETRY,
            *stored_failure(reason, self._serializer),
            perf_counter() - since,
            describe(reason),
            traceback_text(reason),
            _due_at(retry.when, self._clock()),
            again,
        )

    def _ignored(self, outcome: Outcome, state: str, meta: Any) -> Outcome:
        """Keep the state that an ignored task set of itself, as Celery does."""
        if state == FAILURE:
            data, name = stored_failure(as_error(meta), self._serializer)
        else:
            data, name = self._serializer.dumps(meta), self._serializer.name
        return outcome._replace(result=data, serializer=name, reported=state)

    def _replaced(self, context: Context, replaced: Replaced, since: float) -> Outcome:
        """Lay out the tasks that replace it; the last of them takes its id."""
        sig = replaced.sig
        message, options = context.message, context.options
        assert message is not None
        shared = {name: options[name] for name in _INHERITED if name in options}
        shared["root_id"] = context.root_id
        shared["replaced_task_nesting"] = context.replaced_task_nesting + 1
        own = {name: options[name] for name in _MEMBERSHIP if name in options}
        # A user's own `apply_async` is called, and may read variables that the task has set.
        made = replaced.variables.run(
            outside_of_tasks, replacement, self._app, sig, message.id, shared, own
        )
        return Outcome(
            Kind.REPLACED,
            runtime=perf_counter() - since,
            note=f"replaced by {bounded_repr(sig)}",
            message=made.message,
            graph=made.rest,
            place=made.place,
        )

    def _suspended(
        self, context: Context, task: Task[..., Any], ending: Ending, since: float
    ) -> Outcome:
        """End a run that goes on later, from the start of the task."""
        outcome = Outcome(ending.kind, note=str(ending.value))
        suspended = ending.value
        if not isinstance(suspended, Suspended):  # Snooze
            now = self._clock()
            # One that is over, or that is a mistake, must not keep the worker busy with this alone.
            eta = max(
                moment("the time of Snooze", suspended.when, now) or now, now + _SHORTEST_SNOOZE
            )
            return outcome._replace(eta=eta, runtime=perf_counter() - since)
        outcome = outcome._replace(eta=suspended.eta, step=suspended.step)
        if ending.kind is Kind.GATHERED:
            outcome = self._gathered(context, task, suspended, outcome)
        return outcome._replace(runtime=perf_counter() - since)

    def _gathered(
        self, context: Context, task: Task[..., Any], suspended: Suspended, outcome: Outcome
    ) -> Outcome:
        """Lay out the tasks for which a task is going to wait."""
        message, step = context.message, suspended.step
        assert message is not None
        assert step is not None
        assert context.delivery is not None
        shared = {"root_id": context.root_id, "parent_id": context.id}
        made = outside_of_tasks(gathering, self._app, suspended.calls, shared)
        if context.delivery.inputs is not None:
            # From now on it waits for others, so its arguments keep what it took from there.
            codec = self._codecs[message.serializer]
            payload = self._producer.encode(task, context.args, context.kwargs, codec)
            message = message._replace(payload=payload)
        # From now on others wake it, too.
        message = with_notes(message, parent_id=context.parent_id, gathered=True)
        sent = json.dumps([each.as_tuple() for each in made.results]).encode()
        return outcome._replace(
            message=message,
            graph=made.graph,
            place=made.place,
            step=step._replace(value=self._within_bounds(sent, f"the step {step.name!r}")),
        )

    def _left_to_others(self, delivery: Delivery, since: float) -> Outcome | None:
        """Leave an unknown task to another worker that has registered it; None if there is none.

        So it is while new code is brought to one worker after the other.
        """
        message = delivery.message
        other = one_with(self._others(), message.task, message.queue)
        if other is None:
            return None
        note = f"it is not registered here, but with {other.name}"
        return Outcome(
            Kind.LEFT,
            runtime=perf_counter() - since,
            note=note,
            traceback=note,
            eta=self._clock() + _SHORTEST_LEFT * _LEFT_LONGER ** min(delivery.attempts, 10),
        )

    def _others(self) -> list[WorkerInfo]:
        """Return the other workers that are up, as they were at most a second ago."""
        now = monotonic()
        if now - self._others_read > _READ_EVERY:
            with suppress(BrokerError):  # those that were up before may be up still
                found = self._app.broker.workers()
                self._other_workers = [each for each in found if each.name != self._hostname]
                self._others_read = now
        return self._other_workers

    def _unknown(self, message: Message, since: float) -> Outcome:
        exc = NotRegistered(self._tasks.unknown(message.task))
        if task_unknown.receivers:
            task_unknown.send(
                sender=None, message=message, exc=exc, name=message.task, id=message.id
            )
        return Outcome(
            Kind.UNKNOWN,
            *stored_failure(exc, self._serializer),
            perf_counter() - since,
            describe(exc),
            str(exc),
        )

    def _report_state(self, id: str, state: str, meta: Any) -> None:
        if os.getpid() != self._pid:
            # A helper that the task forked, by multiprocessing for instance. The stream to the
            # supervisor is the task's alone: what both write would get mixed.
            self._app.report(id, state, meta)
            return
        serializer = self._serializer
        data = self._within_bounds(serializer.dumps(meta), f"the state of {id}")
        self._report(id, state, data, serializer.name)


def _due_at(when: float | datetime | None, now: float) -> float | None:
    return due_at(None, when, now) if isinstance(when, datetime) else due_at(when, None, now)
