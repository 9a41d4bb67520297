"""Options of tasks and of calls: which there are, and what is kept of them in a message.

A task has them as attributes, a call as keyword arguments of `apply_async`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..exceptions import InvalidTaskError, SerializationError
from ..support.nearest import did_you_mean
from .eta import When

Options = Mapping[str, Any]

NO_OPTIONS: Options = {}

# What few calls have is kept together, as JSON, in the message's `options`.
STORED = frozenset(
    (
        "argsrepr",
        "chord",
        "correlation_id",
        "group_id",
        "group_index",
        "headers",
        "kwargsrepr",
        "parent_id",
        "replaced_task_nesting",
        "reply_to",
        "root_id",
        "shadow",
        "soft_time_limit",
        "stamped_headers",
        "time_limit",
    )
)

_OF_THE_MESSAGE = (
    "countdown",
    "durable",
    "eta",
    "expires",
    "ignore_result",
    "priority",
    "queue",
    "retries",
    "retry",
    "retry_policy",
    "routing_key",
    "serializer",
    "task_id",
)
# Taken for Celery's sake: there are no exchanges, connections and producers here.
_MEANINGLESS = (
    "add_to_parent",
    "compression",
    "connection",
    "delivery_mode",
    "exchange",
    "mandatory",
    "producer",
    "router",
)
# Signatures that wait for the task: they become messages of their own.
LINKS = ("link", "link_error")

KNOWN = frozenset((*STORED, *_OF_THE_MESSAGE, *_MEANINGLESS, *LINKS))

_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)  # making one costs 2 us

_LONGEST_NAME = 255  # characters


def is_linked(options: Options) -> bool:
    """Whether others wait for a call with these options."""
    return bool(options.get("link") or options.get("link_error"))


class TaskOptions:
    """What a message takes from its task. None leaves it to the settings."""

    name: str = ""
    queue: str | None = None
    priority: int | None = None
    serializer: str | None = None
    expires: When = None
    ignore_result: bool | None = None
    track_started: bool | None = None
    acks_late: bool | None = None
    time_limit: float | None = None
    soft_time_limit: float | None = None


class Named(TaskOptions):
    """A task of which only the name is known here."""

    def __init__(self, name: str) -> None:
        self.name: str = check_name("task name", name)


def check_name(what: str, name: Any) -> str:
    """`name`, if it can be a name. Raises InvalidTaskError otherwise."""
    if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable():
        return name
    raise InvalidTaskError(
        f"{name!r:.300} cannot be a {what}: give 1 to {_LONGEST_NAME} printable characters"
    )


def check_options(options: Options) -> None:
    """Raise TypeError for an option that no call has, naming the nearest that there is."""
    stamped = options.get("stamped_headers") or ()
    for name in options:
        if name not in KNOWN and name not in stamped:
            hint = did_you_mean(name, KNOWN)
            raise TypeError(f"apply_async() got an unexpected option {name!r}{hint}")


def check_arguments(args: Any, kwargs: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The arguments of a call, none where None. Raises TypeError for what is no list or no dict."""
    if args is not None and not isinstance(args, list | tuple):
        raise TypeError(
            f"args must be a list or a tuple, not a {type(args).__name__}: {args!r:.99}"
        )
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise TypeError(f"kwargs must be a dict, not a {type(kwargs).__name__}: {kwargs!r:.99}")
    return args or (), kwargs or {}


def stored(options: Options) -> dict[str, Any]:
    """What is to be kept of `options` in the message's JSON."""
    kept = {k: v for k, v in options.items() if k in STORED and v is not None}
    stamped = kept.get("stamped_headers")
    if stamped:  # each of them is an option of its own
        kept["stamps"] = {name: options[name] for name in stamped if name in options}
    return kept


def as_json(kept: Options) -> str | None:
    """The message's `options`. Raises SerializationError for what JSON cannot carry."""
    if not kept:
        return None
    try:
        return _JSON.encode(kept)
    except (TypeError, ValueError, RecursionError) as exc:
        raise SerializationError(
            f"the options {', '.join(kept)} must be JSON, headers too: {exc}"
        ) from None
