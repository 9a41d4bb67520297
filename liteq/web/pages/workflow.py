"""One workflow, drawn: its tasks, their states, and what waits for what."""

from ...result.workflow import workflow_of
from ..flowchart import flowchart
from ..html import Part, el, join
from ..layout import Page
from ..tables import section, table
from ..values import Refused
from ..visit import Visit
from ..words import number, state

_SHOWN = 300  # tasks


def show(visit: Visit) -> Page:
    """Return the page of the workflow of the task that is asked for. Raises Refused."""
    id = visit.asked("id")
    workflow = workflow_of(visit.app.broker, id, _SHOWN)
    if not workflow.records:
        raise Refused(404, f"the store knows no job {id!r}: never sent there, or deleted since")
    rows: list[list[Part]] = [
        [
            visit.link(record.message.id, "/job", id=record.message.id),
            record.message.task,
            state(record.phase.name.lower()),
            number(len(workflow.before(record))) or None,
        ]
        for record in workflow.records
    ]
    ended = sum(record.phase.final for record in workflow.records)
    body = join(
        el("p", f"{number(ended)} of {number(len(workflow.records))} tasks have ended."),
        el("p", f"It has more than {number(_SHOWN)} tasks; these are some of them.")
        if workflow.more
        else None,
        flowchart(visit, workflow),
        section("Tasks", table(("Job", "Task", "State", "Waits for"), rows)),
    )
    return Page("Workflow", body, "/workflows")
