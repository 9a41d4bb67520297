"""Signatures made of tasks, of names of tasks, and of dicts that were signatures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..result.app import App
from .signature import Signature, as_signature


def signature(
    task: Any,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    immutable: bool = False,
    app: App | None = None,
    **more_options: Any,
) -> Signature:
    """Return the signature of a call of `task`: a task, its name, or a dict that was a signature.

    Keywords that are no arguments of this function are options of the call. A signature is copied.
    """
    if isinstance(task, Signature):
        return task.clone()
    if isinstance(task, dict):
        return Signature.from_dict(task, app)
    return Signature(task, args, kwargs, options, immutable=immutable, app=app, **more_options)


subtask = signature


def signatures(values: tuple[Any, ...]) -> list[Signature]:
    """Return the signatures that a canvas was given: one by one, or as a single iterable."""
    if len(values) == 1 and not isinstance(values[0], dict) and isinstance(values[0], Iterable):
        values = tuple(values[0])
    return [as_signature(value) for value in values]
