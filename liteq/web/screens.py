"""The screens, by the path of their page. Each is a module of the folder `pages`."""

from collections.abc import Callable

from .layout import Page
from .pages import (
    dead,
    job,
    jobs,
    overview,
    performance,
    queues,
    schedules,
    workers,
    workflow,
    workflows,
)
from .values import Refused
from .visit import Visit

Show = Callable[[Visit], Page]

_SCREENS: dict[str, Show] = {
    "/": overview.show,
    "/jobs": jobs.show,
    "/job": job.show,
    "/queues": queues.show,
    "/workers": workers.show,
    "/schedules": schedules.show,
    "/workflows": workflows.show,
    "/workflow": workflow.show,
    "/dead": dead.show,
    "/performance": performance.show,
}


def screen_of(path: str) -> Show:
    """Return the function that shows the page at `path`. Raises Refused for an unknown one."""
    if path not in _SCREENS:
        raise Refused(404, f"there is no page {path!r}")
    return _SCREENS[path]
