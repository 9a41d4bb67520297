"""The periodic tasks: when each runs, in words, and what became of its last run."""

from ...model.entry import Entry
from ...schedules.text import from_text
from ...schedules.words import in_words
from ..charts import sparkline
from ..html import Part, el
from ..layout import Page
from ..tables import listing
from ..visit import Visit
from ..words import moment, number

_HEADS = ("Schedule", "When", "Task", "Next", "Last run", "Runs", "Last hour")


def show(visit: Visit) -> Page:
    """Return the page."""
    lately = {each.name: each.periods for each in visit.app.jobs.stats(by="task")}
    heads = (*_HEADS, "Actions") if visit.may_act else _HEADS
    rows = []
    for entry in visit.app.schedules:
        row = _row(visit, entry)
        row.append(sparkline(lately.get(entry.message.task, ())))
        if visit.may_act:
            row.append(_buttons(visit, entry))
        rows.append(row)
    empty = "There are no periodic tasks."
    return Page("Schedules", listing(heads, rows, empty), "/schedules")


def _row(visit: Visit, entry: Entry) -> list[Part]:
    zone = visit.app.timezone
    last: Part = moment(entry.last, zone)
    if entry.last_id is not None:
        last = visit.link(last, "/job", id=entry.last_id)
    due: Part = moment(entry.due, zone)
    if entry.paused:
        due = el("span", "paused", class_="state scheduled")
    return [
        el("span", entry.name, title=f"from the code of {entry.app}" if entry.app else None),
        _when(entry),
        entry.message.task,
        due,
        last,
        number(entry.runs),
    ]


def _when(entry: Entry) -> Part:
    try:
        schedule = from_text(entry.schedule)
    except ValueError:
        return el("code", entry.schedule)
    return el("span", in_words(schedule), title=entry.schedule)


def _buttons(visit: Visit, entry: Entry) -> Part:
    change = "resume" if entry.paused else "pause"
    return [
        visit.button("Run now", "run-schedule", name=entry.name),
        visit.button(change.capitalize(), f"{change}-schedule", name=entry.name),
    ]
