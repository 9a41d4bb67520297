"""The jobs: by state, found by a search, with what can be done to many at once."""

from ...model.job import Job
from ...states import Phase
from ..filters import FIELDS, filters_of
from ..html import Html, Part, el, join
from ..layout import Page
from ..tables import tabs
from ..values import Refused
from ..visit import Visit
from ..words import moment, seconds, state

_ON_A_PAGE = 50
_STATES = [phase.name.lower() for phase in Phase]
_ACTIONS = {"retry": "Retry", "run-again": "Run again", "cancel": "Cancel", "delete": "Delete"}
_SHORT = 80  # characters of arguments, and of a result


def show(visit: Visit) -> Page:
    """Return the page. Raises Refused for a state that there is not, or a page that is gone."""
    try:
        jobs = visit.app.jobs.list(
            before=visit.asked("before") or None,
            limit=_ON_A_PAGE + 1,
            **filters_of(visit.asked),
        )
    except (ValueError, LookupError) as exc:
        raise Refused(400, str(exc)) from exc
    shown, more = jobs[:_ON_A_PAGE], len(jobs) > _ON_A_PAGE
    body = join(
        _tabs(visit),
        _search(visit),
        _listing(visit, shown) if shown else el("p", "No such jobs.", class_="empty"),
        el("p", el("a", "Older ones", href=visit.here(before=shown[-1].id), rel="next"))
        if more
        else None,
    )
    return Page("Jobs", body, "/jobs")


def _tabs(visit: Visit) -> Html:
    states = {name or "all": visit.here(state=name, before=None) for name in ("", *_STATES)}
    return tabs("States", states, visit.asked("state") or "all")


def _search(visit: Visit) -> Html:
    kept = [
        el("input", type="hidden", name=name, value=visit.asked(name))
        for name in FIELDS
        if visit.asked(name) and name != "text"
    ]
    return el(
        "form",
        kept,
        el("label", "Search", for_="q"),
        el(
            "input",
            type="search",
            id="q",
            name="q",
            value=visit.asked("q"),
            placeholder="text, queue:mail, task:shop.tasks.send, worker:..., header:customer=17",
            autocomplete="off",
        ),
        el("button", "Find"),
        method="get",
        action=visit.url("/jobs"),
        class_="search",
        role="search",
    )


def _listing(visit: Visit, jobs: list[Job]) -> Html:
    heads = ("Job", "Task", "State", "Queue", "Sent", "Ran", "Arguments", "Result or error")
    choose = el("th", el("span", "Choose", class_="hidden"), scope="col") if visit.may_act else None
    head = el("tr", choose, [el("th", each, scope="col") for each in heads])
    rows = [_row(visit, job) for job in jobs]
    table = el("table", el("thead", head), el("tbody", rows))
    if not visit.may_act:
        return el("div", table, class_="wide")
    return _chooser(visit, el("div", table, class_="wide"))


def _chooser(visit: Visit, table: Html) -> Html:
    """Return the form around the table: each button of it is an action of its own."""
    fields = [
        el("input", type="hidden", name=name, value=visit.asked(name))
        for name in (*FIELDS, "q")
        if visit.asked(name)
    ]
    buttons = [
        el("button", title, formaction=visit.url(f"/act/{name}"), class_=name)
        for name, title in _ACTIONS.items()
    ]
    fits: Part = None
    if filters_of(visit.asked):
        fits = el("label", el("input", type="checkbox", name="all", value="1"), " all that fit")
    bar = el("p", buttons, fits, class_="bar")
    return visit.form("cancel", fields, table, bar, id="jobs")


def _row(visit: Visit, job: Job) -> Html:
    end = job.error if job.error is not None else job.result
    box = el("input", type="checkbox", name="id", value=job.id, aria_label=f"Choose {job.id}")
    return el(
        "tr",
        el("td", box) if visit.may_act else None,
        el("th", visit.link(_short_id(job.id), "/job", id=job.id), scope="row", class_="id"),
        el("td", job.task),
        el("td", state(job.state)),
        el("td", job.queue),
        el("td", moment(job.sent, visit.app.timezone)),
        el("td", seconds(job.runtime) if job.runtime is not None else None),
        el("td", el("code", _clip(job.args))),
        el("td", el("code", _clip(end)) if end is not None else None),
    )


def _short_id(id: str) -> str:
    """Return the end of an id of ours, by which it differs from others of its time."""
    return id if len(id) != 36 else f"…{id[-12:]}"


def _clip(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"
