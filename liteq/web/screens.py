"""The screens, by the path of their page. Each is a module of the folder `pages`."""

from collections.abc import Callable
from importlib import import_module

from .layout import Page
from .values import Refused
from .visit import Visit

Show = Callable[[Visit], Page]

_SCREENS = {
    "/": "overview",
    "/jobs": "jobs",
    "/job": "job",
    "/queues": "queues",
    "/workers": "workers",
    "/schedules": "schedules",
    "/workflows": "workflows",
    "/workflow": "workflow",
    "/dead": "dead",
    "/performance": "performance",
}


def screen_of(path: str) -> Show:
    """Return the function that shows the page at `path`. Raises Refused for an unknown one."""
    if path not in _SCREENS:
        raise Refused(404, f"there is no page {path!r}")
    show: Show = import_module(f".pages.{_SCREENS[path]}", __package__).show
    return show
