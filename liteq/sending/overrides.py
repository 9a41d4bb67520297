"""Calls that go through a user's own `apply_async` or `send_task` before they are sent.

Both may be overridden, to add a header or a lock for instance. A workflow is stored as a whole, so
for each of its tasks the override is called, and what it passes on is collected, not sent.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

from ..exceptions import InvalidTaskError
from .options import Options, check_arguments

_OF_THE_WORKFLOW = ("task_id", "root_id", "parent_id", "group_id", "group_index", "chord")


class Passed(NamedTuple):
    """A call, as an override passed it on."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    options: dict[str, Any]


class Expected:
    """A call of the task `name` with the id `id` that an override is about to pass on."""

    def __init__(self, name: str, id: str) -> None:
        self.name = name
        self.id = id
        self.passed: Passed | None = None


expected_call: ContextVar[Expected | None] = ContextVar("liteq_expected_call", default=None)
"""The call that an override is being asked to pass on, in this thread or coroutine, if any.

The first call of that task is then collected here, by `Task.apply_async` or `app.send_task`, which
the override is to call in the end. All other calls, which it makes beside, are sent.
"""


def collect(
    name: str, id: str, override: Callable[..., Any], args: Any, kwargs: Any, options: Options
) -> Passed:
    """Call `override` to send a task; return what it passes on, which is not sent.

    Raises InvalidTaskError when it passes on nothing, or another id; and what it raises itself.
    """
    expected = Expected(name, id)
    token = expected_call.set(expected)
    try:
        override(args, kwargs, **options)
    finally:
        expected_call.reset(token)
    passed = expected.passed
    if passed is None:
        raise InvalidTaskError(
            f"{name} cannot be sent in a workflow: its own apply_async() or the application's own "
            "send_task() did not call that of its base class, so the others would wait for ever"
        )
    if passed.options.get("task_id", id) != id:
        raise InvalidTaskError(
            f"{name} cannot be sent in a workflow: its own apply_async() changes the task_id, by "
            "which other tasks wait for it; keep the one among the options"
        )
    kept = {option: options[option] for option in _OF_THE_WORKFLOW if option in options}
    return passed._replace(options={**passed.options, **kept})


def is_expected(name: str) -> bool:
    """Return whether a call of the task `name` is to be collected: others are sent."""
    expected = expected_call.get()
    return expected is not None and expected.passed is None and expected.name == name


def collected(args: Any, kwargs: Any, options: Options) -> str:
    """Collect the call that is expected; return its id."""
    expected = expected_call.get()
    assert expected is not None
    expected.passed = Passed(*check_arguments(args, kwargs), dict(options))
    return expected.id
