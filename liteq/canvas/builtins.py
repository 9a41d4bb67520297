"""Tasks that every application has. Their names begin with `celery.`, as in Celery."""

from typing import Any

from ..result.app import App
from ..result.group_result import ACCUMULATE
from ..support.coroutines import value_of
from .signature import as_signature

PREFIX = "celery."
MAP = "celery.map"
STARMAP = "celery.starmap"
CALL_ERRBACK = "celery.call_errback"
START = "celery.start"
"""Replaces itself by the canvas in its argument: what a schedule of a canvas calls."""


def add_to(app: App) -> None:
    """Register them with `app`."""
    app.add_function(_map, name=MAP)
    app.add_function(_starmap, name=STARMAP)
    app.add_function(_accumulate, name=ACCUMULATE)
    app.add_function(_call_errback, name=CALL_ERRBACK, bind=True)
    app.add_function(_start, name=START, bind=True)


def _map(task: Any, it: Any) -> list[Any]:
    call = as_signature(task)
    return [value_of(call(item)) for item in it]


def _starmap(task: Any, it: Any) -> list[Any]:
    call = as_signature(task)
    return [value_of(call(*items)) for items in it]


def _accumulate(value: Any) -> Any:
    """Return `value`: the values of a group become the value of one task."""
    return value


def _call_errback(self: Any, id: str, errback: Any) -> None:
    """Send an errback that is more than one task. It is frozen, so sending it twice is once."""
    as_signature(errback).apply_async((id,))


def _start(self: Any, canvas: Any) -> None:
    raise self.replace(as_signature(canvas))
