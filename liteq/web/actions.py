"""Do what visitors ask for. Each action is a form that was posted, and one line in the log."""

from collections.abc import Callable
from typing import Any

from ..support.printable import counted
from .filters import filters_of
from .html import el
from .layout import Page
from .values import Refused
from .visit import Visit

Action = Callable[[Visit], str]
"""Does something; returns what was done, in words."""

_MOST_DEAD = 100_000  # jobs that one action looks through

_ASK_FIRST = {  # what cannot be undone, or is done to all jobs that fit
    "delete": "Delete",
    "terminate": "Cancel, and end those that run",
    "cancel": "Cancel",
    "retry": "Retry",
    "run-again": "Run again",
}


def act(name: str, visit: Visit) -> str | Page:
    """Do the action `name`; return what was done, or a page that asks first.

    Raises Refused for an unknown one, or one that cannot be done.
    """
    if name not in ACTIONS:
        raise Refused(404, f"there is no action {name!r}")
    many = visit.request.posted("all") == "1"
    if (many or name in ("delete", "terminate")) and visit.request.posted("sure") != "1":
        return _question(name, visit)
    try:
        return ACTIONS[name](visit)
    except (ValueError, LookupError, TypeError) as exc:
        raise Refused(400, str(exc)) from exc


def _question(name: str, visit: Visit) -> Page:
    """Return the page that asks whether to do it, with the same form."""
    form = visit.request.form
    fields = [
        el("input", type="hidden", name=key, value=value)
        for key, values in form.items()
        if key not in ("form", "sure")
        for value in values
    ]
    what = "all jobs that fit" if visit.request.posted("all") == "1" else _chosen_words(visit)
    body = el(
        "form",
        el("input", type="hidden", name="form", value=visit.token),
        fields,
        el("p", f"{_ASK_FIRST.get(name, name)}: {what}?"),
        el("button", _ASK_FIRST.get(name, name), name="sure", value="1", class_="danger"),
        " ",
        el("a", "No, go back", href=visit.request.posted("back") or visit.url("/")),
        method="post",
        action=visit.url(f"/act/{name}"),
    )
    return Page("Are you sure?", body, live=False)


def _chosen_words(visit: Visit) -> str:
    ids = visit.request.form.get("id", ())
    return f"the job {ids[0]}" if len(ids) == 1 else counted(len(ids), "job")


def _chosen(visit: Visit) -> dict[str, Any]:
    """Return the jobs that are meant: the posted ids, or filters that all of them fit."""
    if visit.request.posted("all") == "1":
        filters = filters_of(visit.request.posted)
        if not filters:
            raise Refused(400, "that would be all jobs: choose a state, a queue or a task first")
        return dict(filters)
    ids = list(visit.request.form.get("id", ()))
    if not ids:
        raise Refused(400, "no job is chosen")
    return {"ids": ids}


def _retry(visit: Visit) -> str:
    return f"{counted(len(visit.app.jobs.retry(**_chosen(visit))), 'job')} ready again"


def _cancel(visit: Visit) -> str:
    return f"{counted(len(visit.app.jobs.cancel(**_chosen(visit))), 'job')} cancelled"


def _terminate(visit: Visit) -> str:
    ids = visit.app.jobs.cancel(terminate=True, **_chosen(visit))
    return f"{counted(len(ids), 'job')} cancelled, and ended where they ran"


def _delete(visit: Visit) -> str:
    return f"{counted(visit.app.jobs.delete(**_chosen(visit)), 'job')} deleted"


def _run_again(visit: Visit) -> str:
    ids = visit.app.jobs.run_again(**_chosen(visit))
    return f"sent again as {ids[0]}" if len(ids) == 1 else f"{counted(len(ids), 'job')} sent again"


def _run_schedule(visit: Visit) -> str:
    name = visit.request.posted("name")
    try:
        result = visit.app.schedules.run(name)
    except KeyError:
        raise Refused(404, f"there is no schedule {name!r}") from None
    return f"{name} was sent as {result.id}"


def _pause_schedule(visit: Visit) -> str:
    names = visit.app.schedules.pause(visit.request.posted("name"))
    return _done(names, "paused")


def _resume_schedule(visit: Visit) -> str:
    names = visit.app.schedules.resume(visit.request.posted("name"))
    return _done(names, "resumed")


def _done(schedules: list[str], what: str) -> str:
    return f"{schedules[0]} {what}" if schedules else "there is no such schedule"


def _dead_ids(visit: Visit) -> list[str]:
    """Return the ids of the dead jobs with the posted task and error."""
    task, error = visit.request.posted("task"), visit.request.posted("error")
    jobs = visit.app.jobs.list(state="dead", task=task, limit=_MOST_DEAD)
    return [job.id for job in jobs if (job.error or "") == error]


def _retry_dead(visit: Visit) -> str:
    return f"{counted(len(visit.app.jobs.retry(_dead_ids(visit))), 'job')} ready again"


def _delete_dead(visit: Visit) -> str:
    return f"{counted(visit.app.jobs.delete(_dead_ids(visit)), 'job')} deleted"


ACTIONS: dict[str, Action] = {
    "run-schedule": _run_schedule,
    "pause-schedule": _pause_schedule,
    "resume-schedule": _resume_schedule,
    "retry-dead": _retry_dead,
    "delete-dead": _delete_dead,
    "retry": _retry,
    "cancel": _cancel,
    "terminate": _terminate,
    "delete": _delete,
    "run-again": _run_again,
}
