"""The queues: what waits in each, and which workers serve it."""

from ...brokers.serving import names_in, unserved_queues
from ...states import Phase
from ..html import Part, el
from ..layout import Page
from ..tables import listing
from ..visit import Visit
from ..words import number, seconds

_LIVE = (Phase.READY, Phase.RUNNING, Phase.SCHEDULED, Phase.WAITING)
_HEADS = ("Queue", *(phase.name.capitalize() for phase in _LIVE), "Ended, last hour")
_MORE = ("Run p95", "Waited p95", "Workers")


def show(visit: Visit) -> Page:
    """Return the page."""
    app = visit.app
    counts, workers = app.broker.counts(), app.broker.workers()
    stats = {each.name: each for each in app.jobs.stats(by="queue")}
    serving: dict[str, int] = {}
    for worker in workers:
        for queue in names_in(worker, "queues"):
            serving[queue] = serving.get(queue, 0) + 1
    found: dict[str, dict[Phase, int]] = {name: {} for name in (*serving, *stats)}
    for queue, phase, tasks in counts:
        found.setdefault(queue, {})[phase] = tasks
    unserved = unserved_queues(counts, workers)
    rows: list[list[Part]] = []
    for queue in sorted(found):
        lately = stats.get(queue)
        rows.append(
            [
                visit.link(queue, "/jobs", queue=queue),
                *(number(found[queue].get(phase, 0)) for phase in _LIVE),
                number(lately.number if lately else 0),
                seconds(lately.ran.p95 if lately else None),
                seconds(lately.waited.p95 if lately else None),
                _workers(serving.get(queue, 0), unserved.get(queue, 0)),
            ]
        )
    return Page("Queues", listing((*_HEADS, *_MORE), rows, "There are no queues yet."), "/queues")


def _workers(serving: int, unserved: int) -> Part:
    if unserved:
        return el("span", "none", class_="state failed")
    return number(serving)
