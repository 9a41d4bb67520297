"""How each task fared, over an hour or up to fourteen days."""

from ...model.summary import Summary
from ..charts import columns, sparkline
from ..html import Html, Part, el, join
from ..layout import Page
from ..tables import listing, section
from ..visit import Visit
from ..words import number, seconds

_SPANS = {"1h": 60, "6h": 360, "1d": 1440, "7d": 7 * 1440, "14d": 14 * 1440}  # minutes
_HEADS = ("Task", "Ended", "Failed", "Again", "Run p50", "Run p95", "Waited p50", "Waited p95", "")


def show(visit: Visit) -> Page:
    """Return the page."""
    chosen = visit.asked("span")
    minutes = _SPANS.get(chosen, 60)
    whole = visit.app.jobs.stats(minutes, by="all")
    rows = [_row(visit, each) for each in visit.app.jobs.stats(minutes)]
    chart: Part = columns(whole[0].periods, "Tasks that ended") if whole else None
    body = join(
        _tabs(visit, chosen if chosen in _SPANS else "1h"),
        section("Ended", chart) if chart else None,
        section("By task", listing(_HEADS, rows, "Nothing has ended in this time.")),
    )
    return Page("Performance", body, "/performance")


def _tabs(visit: Visit, chosen: str) -> Html:
    links = [
        el("a", span, href=visit.here(span=span), aria_current="true" if span == chosen else None)
        for span in _SPANS
    ]
    return el("nav", links, class_="tabs", aria_label="Time")


def _row(visit: Visit, summary: Summary) -> list[Part]:
    ended = summary.ended
    return [
        visit.link(summary.name, "/jobs", task=summary.name),
        number(summary.number),
        number(ended.get("failed", 0) + ended.get("dead", 0)),
        number(ended.get("retry", 0) + ended.get("lost", 0)),
        seconds(summary.ran.p50),
        seconds(summary.ran.p95),
        seconds(summary.waited.p50),
        seconds(summary.waited.p95),
        sparkline(summary.periods),
    ]
