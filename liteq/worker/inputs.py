"""Arguments that a task takes from the tasks it waited for."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..exceptions import SerializationError, TaskRevokedError, WorkerLostError
from ..execution.context import Context
from ..execution.failure import chord_error, decode_failure, remote_error
from ..model.message import Delivery, Input, Message, Receipt
from ..model.options import options_of
from ..serializers import Codecs
from ..states import Phase
from ..task import Task


def with_inputs(
    task: Task[..., Any],
    delivery: Delivery,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    codecs: Codecs,
    result_codecs: Codecs,
) -> Sequence[Any]:
    """Return `args` behind what the delivery takes from others.

    `codecs` may decode arguments, `result_codecs` results. Raises SerializationError.
    """
    inputs = delivery.inputs
    if options_of(delivery.message).get("immutable"):
        return args
    if isinstance(inputs, list):
        return [_values(inputs, result_codecs), *args]
    end = Input._make(inputs)
    if end.message is None:
        return [_value(end, result_codecs), *args]
    failed = Message._make(end.message)
    if not task.wants_request(args, kwargs):
        return [failed.id, *args]
    exc = failure_of(end, result_codecs)
    return [request_of(failed, codecs), exc, end.traceback, *args]


def without_inputs(message: Message) -> Message:
    """Return `message` marked as complete: its arguments hold already what its task takes."""
    return message._replace(options=json.dumps({**options_of(message), "immutable": True}))


def request_of(message: Message, codecs: Codecs) -> Context:
    """Return the request of a task that has failed."""
    args, kwargs = None, None
    with suppress(SerializationError, TypeError, ValueError):  # perhaps that is why it failed
        args, kwargs = codecs[message.serializer].loads(message.payload)
    return Context(Delivery(message, Receipt(message.id, 0)), args, kwargs)


def failure_of(end: Input, codecs: Codecs) -> BaseException:
    """Return the error of a task that has ended without a value."""
    exc = _error(end, codecs)
    # Of tasks that were skipped only the body of a chord raises ChordError.
    skipped = end.phase == Phase.SKIPPED and end.message is not None
    return chord_error(end.blame, exc) if skipped and end.blame else exc


def _error(end: Input, codecs: Codecs) -> BaseException:
    if end.result is not None and end.serializer is not None:
        try:
            return decode_failure(end.result, codecs[end.serializer], end.traceback)
        except SerializationError as exc:
            return remote_error("SerializationError", str(exc))
    if end.traceback is not None:
        return WorkerLostError(end.traceback)
    return TaskRevokedError("expired" if end.phase == Phase.EXPIRED else "revoked")


def _values(inputs: Sequence[Any], codecs: Codecs) -> list[Any]:
    return [
        _values(each, codecs) if isinstance(each, list) else _value(Input._make(each), codecs)
        for each in inputs
    ]


def _value(end: Input, codecs: Codecs) -> Any:
    if end.phase != Phase.SUCCEEDED:
        return failure_of(end, codecs)
    if end.result is None or end.serializer is None:
        return None
    return codecs[end.serializer].loads(end.result)
