"""Options that a task is sent with because of its name: `task_routes`.

Routes are a dict of patterns, a list of pairs, a function, the dotted name of any of these, or a
list of such routers, of which the first that returns options counts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..exceptions import ImproperlyConfigured
from ..support.plugins import load
from .options import Options


def route(
    routes: Any, name: str, args: Any, kwargs: Any, options: Options, task: object
) -> Options:
    """Return the options that `routes` give to a call of the task `name`: {} if no route fits.

    A function among the routes is called with `(name, args, kwargs, options, task=task)` and
    returns options, the name of a queue, or None.

    Raises ImproperlyConfigured when a dotted name cannot be imported.
    """
    for router in _routers(routes):
        found = (
            router(name, args, kwargs, options, task=task)
            if callable(router)
            else _match(router, name)
        )
        if found:
            return {"queue": found} if isinstance(found, str) else found
    return {}


def _routers(routes: Any) -> Iterator[Any]:
    if isinstance(routes, str):
        routes = _import(routes)
    if isinstance(routes, Mapping):
        yield routes.items()
    elif not isinstance(routes, list | tuple):
        yield getattr(routes, "route_for_task", routes)
    elif routes and all(map(_is_pair, routes)):
        yield routes
    else:
        for router in routes:
            yield from _routers(router)


def _is_pair(value: Any) -> bool:
    """Return whether `value` is a pattern with its target.

    An inner list of two dotted names looks the same, and is taken for such a pair.
    """
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and isinstance(value[0], str | re.Pattern)
        and isinstance(value[1], str | Mapping)
    )


def _match(pairs: Iterable[tuple[Any, Any]], name: str) -> Any:
    """Return the target of the exact name, else that of the first pattern that fits."""
    found = None
    for pattern, target in pairs:
        if pattern == name:
            return target
        if found is None and _fits(pattern, name):
            found = target
    return found


def _fits(pattern: Any, name: str) -> bool:
    if isinstance(pattern, re.Pattern):
        return pattern.match(name) is not None
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern)


def _import(name: str) -> Any:
    try:
        return load(name)
    except (ImportError, AttributeError, ValueError) as exc:
        raise ImproperlyConfigured(
            f"task_routes names {name!r}, which cannot be imported: {exc}"
        ) from exc
