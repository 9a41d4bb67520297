"""The options of a call, as keyword arguments, for type checkers and editors.

The types stand here alone; `options.py` says which names are accepted when the program runs, and
what is done with them. The two are held together by tests.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypedDict

from .eta import When


class HasName(Protocol):
    """An object with a name, such as a `kombu.Queue`."""

    @property
    def name(self) -> Any: ...


class RetryOptions(TypedDict, total=False):
    """The options of `Task.retry` besides the times it names itself. All other calls have them."""

    add_to_parent: bool
    argsrepr: str | None
    chord: Any  # a Signature, or its id
    compression: str | None
    correlation_id: str | None
    delivery_mode: Any
    durable: bool
    exchange: Any
    expires: When
    group_id: str | None
    group_index: int | None
    headers: Mapping[str, Any] | None
    ignore_result: bool | None
    keep_output: bool | None
    kwargsrepr: str | None
    link: Any  # a Signature or a task, or a list of them
    link_error: Any
    mandatory: bool
    parent_id: str | None
    priority: int | None
    producer: Any
    queue: str | HasName | None
    replaced_task_nesting: int
    reply_to: str | None
    retries: int
    retry: bool
    retry_policy: Mapping[str, Any] | None
    root_id: str | None
    router: Any
    routing_key: str | None
    serializer: str | None
    shadow: str | None
    soft_time_limit: float | None
    stamped_headers: Sequence[str] | None
    time_limit: float | None


class CallOptions(RetryOptions, total=False):
    """The options of `Task.apply_async` besides `task_id`, which it names itself."""

    connection: Any  # of a database, in whose open transaction it is sent
    countdown: When
    eta: When


class SendOptions(CallOptions, total=False):
    """The options of calls by name, and of those that a task runs at once."""

    task_id: str | None


class CanvasOptions(SendOptions, total=False):
    """The options of a signature or a canvas besides `immutable`, which some calls name."""

    on_error: str  # of a group and a chord: "continue" runs what follows even if members fail


class SignatureOptions(CanvasOptions, total=False):
    """The options of a signature that is made or cloned."""

    immutable: bool


class ApplyOptions(CanvasOptions, total=False):
    """The options of a signature that is run at once."""

    throw: bool | None
