"""Tasks that every application has. Their names begin with `celery.`, as in Celery."""

from typing import Any

from ..result.app import App
from . import as_signature

PREFIX = "celery."
START = f"{PREFIX}start"
"""Becomes the canvas that it is given: what a schedule of a canvas calls."""


def add_to(app: App) -> None:
    """Make them tasks of `app`."""
    app.task(name=f"{PREFIX}map")(_map)
    app.task(name=f"{PREFIX}starmap")(_starmap)
    app.task(name=f"{PREFIX}accumulate")(_accumulate)
    app.task(name=f"{PREFIX}call_errback", bind=True)(_call_errback)
    app.task(name=START, bind=True)(_start)


def _map(task: Any, it: Any) -> list[Any]:
    call = as_signature(task)
    return [call(item) for item in it]


def _starmap(task: Any, it: Any) -> list[Any]:
    call = as_signature(task)
    return [call(*items) for items in it]


def _accumulate(value: Any) -> Any:
    """What the members of a group came to, as the value of one task."""
    return value


def _call_errback(self: Any, id: str, errback: Any) -> None:
    """Send an errback that is more than one task; it is frozen, so twice is once."""
    as_signature(errback).apply_async((id,))


def _start(self: Any, canvas: Any) -> None:
    raise self.replace(as_signature(canvas))
