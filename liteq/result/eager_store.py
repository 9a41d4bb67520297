"""The storing of eager results, for `task_store_eager_result`."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..brokers.base import Claim
from ..exceptions import SerializationError
from ..execution.failure import stored_failure, traceback_text
from ..model.message import Message
from ..model.outcome import Settlement
from ..sending.formats import result_serializer
from ..sending.options import Named
from ..serializers import Serializer
from ..states import Phase
from .app import App

_EXPIRES = 60.0  # seconds; if this process dies half-way, no other finishes the task


def store_eager_result(
    app: App,
    message: Message,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    value: Any,
) -> None:
    """Store that the task of `message` ended with `value`, a return value or an exception.

    It is enqueued, claimed and settled as any task, in a queue of its own that no worker serves.

    Raises SerializationError when the arguments cannot be stored, BrokerError when the store
    fails.
    """
    broker, now = app.broker, app.broker.clock()
    serializer = result_serializer(app.conf, broker)
    queue = f"eager:{message.id}"
    message = message._replace(
        payload=app.producer.encode(Named(message.task), args, kwargs, serializer),
        serializer=serializer.name,
        queue=queue,
        eta=None,
        expires=now + _EXPIRES,
        acks_late=False,
    )
    phase, data, name, traceback = _ended(value, serializer)
    keep_until = app.conf.result_expires and now + app.conf.result_expires
    worker = broker.register("eager", "{}")
    try:
        broker.enqueue([message])
        for delivery in broker.claim(Claim(worker, (queue,), 1)):  # none, if its id is known
            broker.settle(
                [Settlement(delivery.receipt, phase, now, data, name, traceback, keep_until)]
            )
    finally:
        broker.unregister(worker)


def _ended(value: Any, serializer: Serializer) -> tuple[Phase, bytes, str, str | None]:
    if not isinstance(value, BaseException):
        try:
            return Phase.SUCCEEDED, serializer.dumps(value), serializer.name, None
        except SerializationError as exc:
            value = exc
    return Phase.FAILED, *stored_failure(value, serializer), traceback_text(value)
