"""Options of tasks and of calls, and those of them that a message stores.

A task has them as attributes, a call as keyword arguments of `apply_async`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from ..exceptions import InvalidTaskError, SerializationError
from ..support.nearest import did_you_mean
from .eta import When

Options = Mapping[str, Any]

NO_OPTIONS: Options = {}

# Options that few calls have: the message stores them together, as JSON, in its `options`.
STORED = frozenset(
    (
        "argsrepr",
        "chord",
        "correlation_id",
        "group_id",
        "group_index",
        "headers",
        "ignore_result",
        "keep_output",
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
    "priority",
    "queue",
    "retries",
    "retry",
    "retry_policy",
    "routing_key",
    "serializer",
    "task_id",
)
# Accepted because Celery has them, without effect: liteq has no exchanges and connections.
MEANINGLESS = (
    "add_to_parent",
    "compression",
    "delivery_mode",
    "exchange",
    "mandatory",
    "producer",
    "router",
)
# What says in which transaction a call is sent. It is taken out where the call is made, so that it
# is unknown to what comes later: a retry, or a part of a canvas.
OF_THE_CALL = ("connection",)
# Signatures that run after the task: they become messages of their own.
LINKS = ("link", "link_error")

KNOWN = frozenset((*STORED, *_OF_THE_MESSAGE, *MEANINGLESS, *LINKS))


def _set_as_list(value: Any) -> list[Any]:
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    raise TypeError(f"{value!r:.100} is not JSON")


@cache  # making one costs 2 us
def _encode() -> Callable[[Any], str]:
    import json  # takes 2 ms, and most calls have no options

    return json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_set_as_list).encode


_LONGEST_NAME = 255  # characters


def is_linked(options: Options) -> bool:
    """Return whether callbacks or errbacks are linked to a call with these options."""
    return bool(options.get("link") or options.get("link_error"))


class TaskOptions:
    """The options of a task that its messages get. None leaves an option to the settings."""

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
    """A task that this process knows only by name."""

    def __init__(self, name: str) -> None:
        self.name: str = check_name("task name", name)


def check_name(what: str, name: Any) -> str:
    """Return `name`, or the text of a StrEnum.

    Raises InvalidTaskError when it cannot be a name of a `what`.
    """
    if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable():
        return str.__str__(name)
    raise InvalidTaskError(
        f"{name!r:.300} cannot be a {what}: give 1 to {_LONGEST_NAME} printable characters"
    )


def check_options(options: Options) -> None:
    """Raise TypeError when an option is unknown; the error names the nearest known one."""
    stamped = options.get("stamped_headers") or ()
    for name in options:
        if name not in KNOWN and name not in stamped:
            hint = did_you_mean(name, KNOWN)
            raise TypeError(f"apply_async() got an unexpected option {name!r}{hint}")


def check_arguments(args: Any, kwargs: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return the arguments of a call, empty ones for None.

    Raises TypeError when `args` is not a list or a tuple, or `kwargs` is not a mapping.
    """
    if args is not None and not isinstance(args, list | tuple):
        raise TypeError(
            f"args must be a list or a tuple, not a {type(args).__name__}: {args!r:.99}"
        )
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise TypeError(f"kwargs must be a dict, not a {type(kwargs).__name__}: {kwargs!r:.99}")
    return args or (), kwargs or {}


def stored_options(options: Options) -> dict[str, Any]:
    """Return those of `options` that the message stores in its own `options`."""
    found = {k: v for k, v in options.items() if k in STORED and v is not None}
    stamped = found.get("stamped_headers")
    if stamped:  # each stamp is an option of its own name
        found["stamps"] = {name: options[name] for name in stamped if name in options}
    return found


def as_json(options: Options) -> str | None:
    """Return `options` as the JSON text that a message stores; None when there are none.

    Sets become lists, in order of their texts. Raises SerializationError when one of them cannot
    be JSON.
    """
    if not options:
        return None
    try:
        return _encode()(options)
    except (TypeError, ValueError, RecursionError) as exc:
        raise SerializationError(
            f"the options {', '.join(options)} must be JSON, headers too: {exc}"
        ) from None
