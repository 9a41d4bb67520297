"""Signatures from whatever names a task."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..result.app import App
from .signature import Signature


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
    """The signature of a call of `task`: a task, its name, or a dict that was a signature.

    Keywords that are no arguments of this function are options of the call. A signature is copied.
    """
    if isinstance(task, Signature):
        return task.clone()
    if isinstance(task, dict):
        return Signature.from_dict(task, app)
    return Signature(task, args, kwargs, options, immutable=immutable, app=app, **more_options)


subtask = signature
