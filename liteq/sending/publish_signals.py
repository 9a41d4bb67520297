"""The signals around sending, with Celery's arguments: `before_task_publish` and
`after_task_publish`."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..model.message import Message
from ..model.options import parse_options
from ..serializers import get
from ..signals import after_task_publish, before_task_publish
from .options import as_json


def send_before_publish(
    message: Message, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Message:
    """Send `before_task_publish`; return the message with the headers that receivers added."""
    headers = _headers(message)
    before = frozenset(headers)
    before_task_publish.send(
        sender=message.task,
        body=(args, kwargs, {}),
        headers=headers,
        exchange="",
        routing_key=message.queue,
        properties=_properties(message),
        declare=[],
        retry_policy=None,
    )
    added = {name: value for name, value in headers.items() if name not in before}
    if not added:
        return message
    options = parse_options(message)
    options["headers"] = {**options.get("headers", {}), **added}
    return message._replace(options=as_json(options))


def send_after_publish(message: Message) -> None:
    """Send `after_task_publish`."""
    args, kwargs = get(message.serializer).loads(message.payload)
    after_task_publish.send(
        sender=message.task,
        body=(args, kwargs, {}),
        headers=_headers(message),
        exchange="",
        routing_key=message.queue,
    )


def _headers(message: Message) -> dict[str, Any]:
    options = parse_options(message)  # not shared: receivers may change what they are given
    return {
        "lang": "py",
        "id": message.id,
        "task": message.task,
        "eta": message.eta,
        "expires": message.expires,
        "retries": message.retries,
        "ignore_result": message.ignore_result,
        "timelimit": [options.get("time_limit"), options.get("soft_time_limit")],
        "root_id": options.get("root_id", message.id),
        "parent_id": options.get("parent_id"),
        "shadow": options.get("shadow"),
        **options.get("headers", {}),
    }


def _properties(message: Message) -> dict[str, Any]:
    return {"correlation_id": message.id, "priority": message.priority}
