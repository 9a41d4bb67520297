"""Show what was set aside as dead, by task and error, each group with its cure."""

from collections import Counter

from ...model.job import Job
from ..html import Part, el, join
from ..layout import Page
from ..tables import listing
from ..visit import Visit
from ..words import moment, number

_LOOKED_AT = 2000  # of the newest dead ones
_HEADS = ("Task", "Error", "Number", "Last")


def show(visit: Visit) -> Page:
    """Return the page."""
    jobs = visit.app.jobs.list(state="dead", limit=_LOOKED_AT + 1)
    groups = Counter((job.task, job.error or "") for job in jobs[:_LOOKED_AT])
    newest: dict[tuple[str, str], Job] = {}
    for job in jobs:
        newest.setdefault((job.task, job.error or ""), job)
    heads = (*_HEADS, "Actions") if visit.may_act else _HEADS
    rows: list[list[Part]] = []
    for (task, error), n in groups.most_common():
        last = newest[task, error]
        row: list[Part] = [
            visit.link(task, "/jobs", state="dead", task=task),
            visit.link(el("code", error or "none"), "/job", id=last.id),
            number(n),
            moment(last.finished, visit.app.timezone),
        ]
        if visit.may_act:
            row.append(
                [
                    visit.button("Retry all", "retry-dead", task=task, error=error),
                    visit.button("Delete all", "delete-dead", "danger", task=task, error=error),
                ]
            )
        rows.append(row)
    body = join(
        el(
            "p",
            "A task is set aside when it has cost too many processes, has used up its retries, "
            "or has a name that no worker knows.",
        ),
        listing(heads, rows, "Nothing is dead."),
        el("p", f"Of more than {number(_LOOKED_AT)}, the newest ones.")
        if len(jobs) > _LOOKED_AT
        else None,
    )
    return Page("Dead", body, "/dead")
