"""`liteq jobs`: list the tasks that were sent, and act on them.

To add an action: a function that returns the exit code, and its line in `ACTIONS`.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, tzinfo
from typing import Any

from ..app import LiteQ
from ..app.jobs import Filters
from ..model.job import Job, phases_of
from ..support.printable import counted
from ..support.zones import title_of
from .apps import app_that_exists
from .exits import FAILED, OK, missing, misused, no_action
from .options import add_action, add_json, add_limit, header, names, span
from .output import clip, local, moment, say, say_json, show, table
from .outputlines import line_texts, line_view
from .views import View

_COLUMNS = ("ID", "TASK", "STATE", "QUEUE", "SENT", "SECONDS", "ARGUMENTS", "RESULT OR ERROR")
_TIMES = ("sent", "eta", "expires", "started", "finished")
_WIDTH = 60  # characters of arguments, and of a result, in the table
_LINES = 20  # of the output of a job that is shown in full


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add_action(parser, ACTIONS, "ID")
    add = parser.add_argument
    add("-s", "--state", type=_states, metavar="NAMES", help="in these states, such as failed,dead")
    add("-Q", "--queue", metavar="NAME", help="in this queue")
    add("--task", metavar="NAME", help="of this task")
    add("--worker", metavar="NAME", help="that this worker runs, or ran last")
    add("--header", type=header, metavar="NAME=VALUE", help="with this header")
    add("--text", help="with this in the id, name, arguments or traceback")
    add("--since", type=_since, metavar="WHEN", help="sent then or later: 90m, 2h, 1d or ISO 8601")
    add("--before", metavar="ID", help="sent before this one: the next page")
    add("--ids", action="store_true", dest="only_ids", help="print the ids, and nothing else")
    add_json(parser)
    add_limit(parser, 50, "jobs to list")


def run(args: Namespace) -> int:
    """Run the action; return FAILED when it has met none of the jobs."""
    args.what, *args.ids = args.words or ["list"]
    if args.what not in ACTIONS:
        return no_action("jobs", args.what, ACTIONS)
    return ACTIONS[args.what](app_that_exists(args), args)


def _list(app: LiteQ, args: Namespace) -> int:
    if args.ids:
        return misused("jobs list takes options and no ids: see jobs show")
    try:
        jobs = app.jobs.list(before=args.before, limit=args.limit + 1, **_filters(app, args))
    except LookupError as exc:
        return missing([str(exc)])
    shown, more = jobs[: args.limit], len(jobs) > args.limit
    if args.only_ids:
        say(*(job.id for job in shown))
        return OK
    document = {"store": app.broker.url, "jobs": [job_view(job) for job in shown], "more": more}
    zone = app.timezone
    head = [f"{each} ({title_of(zone)})" if each == "SENT" else each for each in _COLUMNS]
    rows = [_row(job, zone) for job in shown]
    lines = table([head, *rows]) if shown else ["no such jobs"]
    show(document, lines, as_json=args.json)
    return OK


def _show(app: LiteQ, args: Namespace) -> int:
    if not args.ids:
        return misused("jobs show takes the ids of jobs")
    jobs = {id: app.jobs.get(id) for id in args.ids}
    found = [(job, app.jobs.why(job.id)) for job in jobs.values() if job]
    printed = {job.id: app.broker.output(job.id)[-_LINES:] for job, _ in found}
    if args.json:
        views = [
            {**job_view(job), "why": why, "output": list(map(line_view, printed[job.id]))}
            for job, why in found
        ]
        say_json({"store": app.broker.url, "jobs": views})
    else:
        zone = app.timezone
        for job, why in found:
            times = {name: local(getattr(job, name), zone) for name in _TIMES}
            view = {**job._asdict(), "times in": title_of(zone), **times, "why": why}
            text = view.pop("traceback")
            say(*(f"{key}: {value}" for key, value in view.items() if value not in (None, "")))
            say(*(f"    {line}" for line in (text or "").splitlines()))
            say(*(f"    {line}" for line in line_texts(printed[job.id], zone)), "")
    return missing(f"{app.broker.url} knows no job {id}" for id, job in jobs.items() if not job)


def _retry(app: LiteQ, args: Namespace) -> int:
    return _act(app, args, app.jobs.retry, "is ready again", "retried")


def _cancel(app: LiteQ, args: Namespace) -> int:
    return _act(app, args, app.jobs.cancel, "is revoked", "cancelled")


def _delete(app: LiteQ, args: Namespace) -> int:
    if not _chosen(app, args):
        return misused("jobs delete takes ids, or options that say which")
    deleted = app.jobs.delete(**_chosen(app, args))
    if args.json:
        say_json({"store": app.broker.url, "deleted": deleted})
    else:
        say(f"deleted {counted(deleted, 'job')}")
    return OK if deleted else FAILED


def _run_again(app: LiteQ, args: Namespace) -> int:
    chosen = _chosen(app, args)
    if not chosen:
        return misused("jobs run-again takes ids, or options that say which")
    try:
        sent = app.jobs.run_again(**chosen)
    except ValueError as exc:
        return missing([str(exc)])
    if args.json:
        say_json({"store": app.broker.url, "sent": sent})
    else:
        say(*sent)
    return OK if sent else FAILED


ACTIONS: dict[str, Callable[[LiteQ, Namespace], int]] = {
    "list": _list,
    "show": _show,
    "retry": _retry,
    "cancel": _cancel,
    "delete": _delete,
    "run-again": _run_again,
}


def _act(app: LiteQ, args: Namespace, change: Callable[..., list[str]], done: str, key: str) -> int:
    """Change the jobs that `args` chooses; print which were."""
    chosen = _chosen(app, args)
    if not chosen:
        return misused(f"jobs {args.what} takes ids, or options that say which")
    changed = change(**chosen)
    if args.json:
        say_json({"store": app.broker.url, key: changed})
    else:
        say(*(f"{id} {done}" for id in changed))
    unmet = [id for id in args.ids if id not in changed]
    code = missing(_why_not(app, id, args.what) for id in unmet)
    return code if changed else FAILED


def _why_not(app: LiteQ, id: str, action: str) -> str:
    """Return why `action` did nothing to the job `id`."""
    job = app.jobs.get(id)
    if job is None:
        return f"{app.broker.url} knows no job {id}"
    allowed = "have not ended" if action == "cancel" else "have ended without success"
    return f"{id} is {job.state}: jobs {action} is for jobs that {allowed}"


def _chosen(app: LiteQ, args: Namespace) -> dict[str, Any]:
    """Return the jobs that are meant: ids, or what they have in common."""
    filters = _filters(app, args)
    return {"ids": args.ids} if args.ids else dict(filters)


def _filters(app: LiteQ, args: Namespace) -> Filters:
    since = args.since
    if isinstance(since, datetime) and since.tzinfo is None:
        since = since.replace(tzinfo=app.timezone)  # as the listing shows times
    given = {
        "state": args.state,
        "queue": args.queue,
        "task": args.task,
        "worker": args.worker,
        "header": args.header,
        "text": args.text,
        "since": app.broker.clock() - since if isinstance(since, float) else since,
    }
    found: Any = {name: value for name, value in given.items() if value is not None}
    filters: Filters = found
    return filters


def job_view(job: Job) -> View:
    """Return the view of a job."""
    return {**job._asdict(), **{name: moment(getattr(job, name)) for name in _TIMES}}


def _row(job: Job, zone: tzinfo) -> tuple[object, ...]:
    runtime = None if job.runtime is None else f"{job.runtime:.3g}"
    end = job.error if job.error is not None else job.result
    when = local(job.sent, zone)
    return (
        job.id, job.task, job.state, job.queue, when, runtime,
        clip(job.args, _WIDTH), end and clip(end, _WIDTH),
    )  # fmt: skip


def _states(text: str) -> list[str]:
    """Parse states, separated by commas."""
    found = names(text)
    try:
        phases_of(found)
    except ValueError as exc:
        raise ArgumentTypeError(str(exc)) from exc
    return found


def _since(text: str) -> float | datetime:
    """Parse a time span before now, in seconds, or a moment."""
    with suppress(ArgumentTypeError):
        return span(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError as exc:
        raise ArgumentTypeError(f"{text!r}: give 90s, 30m, 2h, 1d, or 2030-01-31T18:00") from exc
