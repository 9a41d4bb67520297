"""The workflows that are not done yet: tasks that wait for others."""

from ..html import Part
from ..layout import Page
from ..tables import listing
from ..visit import Visit
from ..words import moment

_SHOWN = 200


def show(visit: Visit) -> Page:
    """Return the page."""
    rows: list[list[Part]] = [
        [
            visit.link(job.id, "/workflow", id=job.id),
            job.task,
            job.queue,
            moment(job.sent, visit.app.timezone),
        ]
        for job in visit.app.jobs.list(state="waiting", limit=_SHOWN)
    ]
    heads = ("Waits", "Task", "Queue", "Sent")
    return Page("Workflows", listing(heads, rows, "No task waits for others."), "/workflows")
