"""Show how each task fared, over an hour or up to fourteen days."""

from ...model.summary import Summary
from ..charts import columns, sparkline
from ..html import Part, join
from ..layout import Page
from ..tables import listing, section, tabs
from ..visit import Visit
from ..words import number, seconds

_SPANS = {"1h": 60, "6h": 360, "1d": 1440, "7d": 7 * 1440, "14d": 14 * 1440}  # minutes
_HEADS = ("Task", "Ended", "Failed", "Again", "Run p50", "Run p95", "Waited p50", "Waited p95", "")


def show(visit: Visit) -> Page:
    """Return the page."""
    chosen = visit.asked("span") if visit.asked("span") in _SPANS else "1h"
    minutes = _SPANS[chosen]
    whole = visit.app.jobs.stats(minutes, by="all")
    rows = [_row(visit, each) for each in visit.app.jobs.stats(minutes)]
    chart: Part = columns(whole[0].periods, "Tasks that ended") if whole else None
    body = join(
        tabs("Time", {each: visit.here(span=each) for each in _SPANS}, chosen),
        section("Ended", chart) if chart else None,
        section("By task", listing(_HEADS, rows, "Nothing has ended in this time.")),
    )
    return Page("Performance", body, "/performance")


def _row(visit: Visit, summary: Summary) -> list[Part]:
    return [
        visit.link(summary.name, "/jobs", task=summary.name),
        number(summary.number),
        number(summary.failed),
        number(summary.again),
        seconds(summary.ran.p50),
        seconds(summary.ran.p95),
        seconds(summary.waited.p50),
        seconds(summary.waited.p95),
        sparkline(summary.periods),
    ]
