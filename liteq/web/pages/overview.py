"""The overview: how much ended lately, what waits, who works, and what is wrong."""

from ...brokers.base import QueueCount, WorkerInfo
from ...brokers.serving import tasks_wait_unserved, unserved_queues
from ...states import Phase
from ..charts import columns
from ..html import Html, Part, el, join
from ..layout import Page
from ..visit import Visit
from ..words import number, seconds

_MINUTES = 60.0
_LIVE = (Phase.RUNNING, Phase.READY, Phase.SCHEDULED, Phase.WAITING)


def show(visit: Visit) -> Page:
    """Return the page."""
    app = visit.app
    counts, workers = app.broker.counts(), app.broker.workers()
    body = join(
        _alarms(visit, counts, workers),
        el("section", _tiles(visit, counts, workers), class_="tiles", aria_label="Now"),
        _chart(visit),
        _slowest(visit),
    )
    return Page("Overview", body, "/")


def _alarms(visit: Visit, counts: list[QueueCount], workers: list[WorkerInfo]) -> Part:
    found: list[Part] = [
        f"{tasks_wait_unserved(queue, tasks)}: start one with liteq worker -Q {queue}"
        for queue, tasks in unserved_queues(counts, workers).items()
    ]
    dead = sum(each.tasks for each in counts if each.phase is Phase.DEAD)
    if dead:
        link = visit.link("look at them", "/dead")
        found.append(join(f"{number(dead)} set aside as dead: ", link))
    if not workers:
        found.append("No worker is up.")
    return [el("p", each, class_="alarm", role="alert") for each in found]


def _tiles(visit: Visit, counts: list[QueueCount], workers: list[WorkerInfo]) -> list[Html]:
    totals = dict.fromkeys(_LIVE, 0)
    for _, phase, tasks in counts:
        if phase in totals:
            totals[phase] += tasks
    tiles = [
        _tile(visit, phase.name.lower(), number(n), "/jobs", state=phase.name.lower())
        for phase, n in totals.items()
    ]
    return [*tiles, _tile(visit, "workers", number(len(workers)), "/workers")]


def _tile(visit: Visit, name: str, value: str, path: str, **query: str | None) -> Html:
    return el(
        "a",
        el("span", value, class_="value"),
        el("span", name, class_="name"),
        href=visit.url(path, query),
        class_="tile",
    )


def _chart(visit: Visit) -> Part:
    whole = visit.app.jobs.stats(minutes=_MINUTES, by="all")
    if not whole:
        return el("p", "Nothing has ended in the last hour.", class_="empty")
    periods = whole[0].periods
    return el(
        "section",
        el("h2", "Ended by minute, in the last hour"),
        columns(periods, "Tasks that ended"),
        el(
            "ul",
            [
                el("li", f"{name}: {number(n)}", class_=name)
                for name, n in sorted(whole[0].ended.items())
            ],
            class_="legend",
        ),
    )


def _slowest(visit: Visit) -> Part:
    found = visit.app.jobs.stats(minutes=_MINUTES)[:8]
    if not found:
        return None
    rows = [
        el(
            "tr",
            el("th", visit.link(each.name, "/jobs", task=each.name), scope="row"),
            el("td", number(each.number)),
            el("td", number(each.failed)),
            el("td", seconds(each.ran.p50)),
            el("td", seconds(each.ran.p95)),
            el("td", seconds(each.waited.p95)),
        )
        for each in found
    ]
    heads = ("Task", "Ended", "Failed", "Run p50", "Run p95", "Waited p95")
    head = el("tr", [el("th", each, scope="col") for each in heads])
    table = el("table", el("thead", head), el("tbody", rows))
    return el("section", el("h2", "What ran most"), el("div", table, class_="wide"))
