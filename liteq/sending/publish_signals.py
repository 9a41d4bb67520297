"""The signals around sending, with Celery's arguments: `before_task_publish` and
`after_task_publish`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ..exceptions import InvalidTaskError
from ..model.message import Message
from ..model.options import parse_options
from ..serializers import get
from ..signals import after_task_publish, before_task_publish
from .eta import check_limits, due_at
from .options import as_json, check_name

_OPTIONS = ("root_id", "parent_id", "shadow")
"""Headers that are options of the message."""


def send_before_publish(
    message: Message, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Message, Sequence[Any], dict[str, Any]]:
    """Send `before_task_publish`; return the message and the arguments as receivers leave them.

    The payload of the message is not changed. Raises InvalidTaskError when a receiver leaves what
    cannot be sent, or changes the id, which the caller has already.
    """
    headers, properties = _headers(message), _properties(message)
    args = [*args] if isinstance(args, list) else args  # the caller's own stay as they are
    kwargs = dict(kwargs)
    before_task_publish.send(
        sender=message.task,
        body=(args, kwargs, {}),
        headers=headers,
        exchange="",
        routing_key=message.queue,
        properties=properties,
        declare=[],
        retry_policy=None,
    )
    if headers != _headers(message) or properties != _properties(message):
        message = _with_headers(message, headers, properties)
    return message, args, kwargs


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
    return {**options.get("headers", {}), **_own_headers(message, options)}


def _own_headers(message: Message, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers that every message has; the user's come beside them."""
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
    }


def _with_headers(
    message: Message, headers: Mapping[str, Any], properties: Mapping[str, Any]
) -> Message:
    """Return `message` with the headers and the priority that receivers have left."""
    options = parse_options(message)
    own = _own_headers(message, options)
    changed = {name: headers[name] for name in own if headers.get(name, own[name]) != own[name]}
    if "id" in changed:
        raise InvalidTaskError(
            f"a receiver of before_task_publish changes the id of {message.task} from "
            f"{message.id} to {changed['id']!r:.100}: give a task_id where it is called"
        )
    options.update((name, changed[name]) for name in _OPTIONS if name in changed)
    if "timelimit" in changed:
        check_limits(*changed["timelimit"])
        options["time_limit"], options["soft_time_limit"] = changed["timelimit"]
    hidden = {name: value for name, value in options.get("headers", {}).items() if name in own}
    options["headers"] = hidden | {name: headers[name] for name in headers if name not in own}
    stored = {name: value for name, value in options.items() if value is not None and value != {}}
    fields = {
        name: as_field(changed[name]) for name, as_field in _FIELDS.items() if name in changed
    }
    if properties.get("priority") != message.priority:
        fields["priority"] = int(properties.get("priority") or 0)
    return message._replace(**fields, options=as_json(stored))


def _moment(left: Any) -> float | None:
    """Return a time that a receiver left, as epoch seconds: these, a datetime or ISO 8601 text."""
    return float(left) if isinstance(left, int | float) else due_at(None, left, 0.0)


_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "task": partial(check_name, "task name"),
    "eta": _moment,
    "expires": _moment,
    "retries": int,
    "ignore_result": bool,
}
"""Headers that are fields of the message, and what makes them that."""


def _properties(message: Message) -> dict[str, Any]:
    return {"correlation_id": message.id, "priority": message.priority}
