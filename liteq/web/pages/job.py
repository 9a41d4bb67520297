"""One job: what was sent, what became of it, and what can be done about it."""

from ...model.job import Job
from ...model.message import Attempt
from ..html import Html, Part, el, join
from ..layout import Page
from ..values import Refused
from ..visit import Visit
from ..words import moment, seconds, state

_UNFINISHED = ("waiting", "scheduled", "ready", "running")


def show(visit: Visit) -> Page:
    """Return the page of the job whose id is asked for. Raises Refused for an unknown one."""
    id = visit.asked("id")
    job = visit.app.jobs.get(id)
    if job is None:
        raise Refused(404, f"the store knows no job {id!r}: never sent there, or deleted since")
    body = join(
        el("p", state(job.state), " ", visit.app.jobs.why(job.id), class_="why"),
        _actions(visit, job),
        el("section", el("h2", "What was sent"), _facts(visit, job)),
        _outcome(job),
        _attempts(visit, visit.app.broker.attempts(job.id)),
    )
    return Page(job.task, body, "/jobs")


def _actions(visit: Visit, job: Job) -> Part:
    if job.state in _UNFINISHED:
        buttons = [visit.button("Cancel", "cancel", id=job.id)]
        if job.state == "running":
            buttons.append(visit.button("Cancel and end it", "terminate", "danger", id=job.id))
    else:
        buttons = [visit.button("Run again", "run-again", id=job.id)]
        if job.state != "succeeded":
            buttons.insert(0, visit.button("Retry", "retry", id=job.id))
        buttons.append(visit.button("Delete", "delete", "danger", id=job.id))
    return el("p", buttons, class_="bar") if visit.may_act else None


def _facts(visit: Visit, job: Job) -> Html:
    zone = visit.app.timezone
    facts: dict[str, Part] = {
        "Id": el("code", job.id),
        "Queue": visit.link(job.queue, "/jobs", queue=job.queue),
        "Arguments": el("code", job.args or "none"),
        "Priority": job.priority or None,
        "Sent": moment(job.sent, zone),
        "Eta": moment(job.eta, zone),
        "Expires": moment(job.expires, zone),
        "Started": moment(job.started, zone),
        "Finished": moment(job.finished, zone),
        "Ran": seconds(job.runtime) if job.runtime is not None else None,
        "Worker": visit.link(job.worker, "/jobs", worker=job.worker) if job.worker else None,
        "Retries": job.retries or None,
        "Processes lost": job.lost or None,
    }
    rows = [(el("dt", name), el("dd", fact)) for name, fact in facts.items() if fact is not None]
    return el("dl", rows)


def _outcome(job: Job) -> Part:
    if job.result is not None:
        return el("section", el("h2", "Result"), el("pre", job.result))
    if job.error is None and job.traceback is None:
        return None
    return el("section", el("h2", "Error"), el("pre", job.traceback or job.error))


def _attempts(visit: Visit, attempts: list[Attempt]) -> Part:
    if not attempts:
        return None
    zone = visit.app.timezone
    rows = [
        el(
            "tr",
            el("th", each.number, scope="row"),
            el("td", moment(each.started, zone)),
            el("td", moment(each.ended, zone)),
            el("td", each.worker),
            el("td", each.outcome),
            el("td", el("code", each.error.rstrip().rpartition("\n")[2]) if each.error else None),
        )
        for each in attempts
    ]
    heads = ("Attempt", "Started", "Ended", "Worker", "How it ended", "Error")
    head = el("tr", [el("th", each, scope="col") for each in heads])
    table = el("table", el("thead", head), el("tbody", rows))
    return el("section", el("h2", "Attempts"), el("div", table, class_="wide"))
