"""`liteq dead`: list and show dead tasks, try them again, drop them.

To add an action: a function that returns the exit code, and its line in `ACTIONS`.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from ..app import LiteQ
from ..model.message import Record
from ..support.printable import counted, last_line
from ..support.zones import title_of
from .apps import app_that_exists
from .exits import FAILED, OK, missing, misused, no_action
from .options import add_action, add_json, add_limit
from .output import local, moment, say, say_json, show, table
from .views import View, task_view

_COLUMNS = ("id", "name", "finished", "retries", "lost", "reason")


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add_action(parser, ACTIONS, "ID")
    add("--all", action="store_true", help="retry or purge every dead task")
    add("--task", metavar="NAME", help="list only tasks of this name")
    add_json(parser)
    add_limit(parser, 100, "tasks to list")


def run(args: Namespace) -> int:
    """Run the action; return FAILED when one of the ids is not that of a dead task."""
    args.what, *args.ids = args.words or ["list"]
    if args.what not in ACTIONS:
        return no_action("dead", args.what, ACTIONS)
    return ACTIONS[args.what](app_that_exists(args), args)


def _list(app: LiteQ, args: Namespace) -> int:
    records = app.dead_letters.records(args.limit + 1, task=args.task)
    shown = records[: args.limit]
    views = [_view(record) for record in shown]
    document = {"store": app.broker.url, "tasks": views, "more": len(records) > args.limit}
    zone = app.timezone
    head = [key.upper() for key in _COLUMNS]
    head[_COLUMNS.index("finished")] += f" ({title_of(zone)})"
    finished = [local(record.finished, zone) for record in shown]
    rows = [
        [{**view, "finished": when}[key] for key in _COLUMNS]
        for view, when in zip(views, finished, strict=True)
    ]
    lines = table([head, *rows]) if rows else ["no dead tasks"]
    show(document, lines, as_json=args.json)
    return OK


def _show(app: LiteQ, args: Namespace) -> int:
    if not args.ids:
        return misused("dead show takes the ids of tasks")
    found = app.broker.fetch(args.ids)
    views = [
        {**_view(record), "attempts": [each._asdict() for each in app.broker.attempts(id)]}
        for id, record in zip(args.ids, found, strict=True)
        if record is not None
    ]
    if args.json:
        for view in views:
            view["attempts"] = [_attempt(each) for each in view["attempts"]]
        say_json({"store": app.broker.url, "tasks": views})
    else:
        for view in views:
            say(*_history(app, view))
    return _missing(app, [id for id, record in zip(args.ids, found, strict=True) if not record])


def _retry(app: LiteQ, args: Namespace) -> int:
    if bool(args.ids) == args.all:
        return misused("dead retry takes the ids of tasks, or --all")
    revived = app.dead_letters.retry(None if args.all else args.ids)
    if args.json:
        say_json({"store": app.broker.url, "retried": revived})
    else:
        say(*(f"{id} is ready again" for id in revived))
    return _missing(app, [id for id in args.ids if id not in revived])


def _purge(app: LiteQ, args: Namespace) -> int:
    if bool(args.ids) == args.all:
        return misused("dead purge takes the ids of tasks, or --all")
    purged = app.dead_letters.purge(None if args.all else args.ids)
    if args.json:
        say_json({"store": app.broker.url, "purged": purged})
    else:
        say(f"purged {counted(purged, 'dead task')}")
    return OK if args.all or purged == len(set(args.ids)) else FAILED


ACTIONS: dict[str, Callable[[LiteQ, Namespace], int]] = {
    "list": _list,
    "show": _show,
    "retry": _retry,
    "purge": _purge,
}


def _missing(app: LiteQ, ids: list[str]) -> int:
    return missing(f"{app.broker.url} has no task {id} that could be tried again" for id in ids)


def _view(record: Record) -> View:
    reason = last_line(record.traceback)
    return {**task_view(record), "reason": reason, "traceback": record.traceback}


def _attempt(attempt: View) -> View:
    return {**attempt, "started": moment(attempt["started"]), "ended": moment(attempt["ended"])}


def _history(app: LiteQ, view: View) -> list[str]:
    zone = app.timezone
    lines = [f"{view['name']}[{view['id']}] {view['phase']} in {view['queue']}"]
    if view["attempts"]:
        lines.append(f"  times in {title_of(zone)}")
    for each in view["attempts"]:
        who = f" on {each['worker']}" if each["worker"] else ""
        when = " to ".join(filter(None, (local(each["started"], zone), local(each["ended"], zone))))
        lines.append(f"  attempt {each['number']}: {each['outcome']}{who}, {when}")
        lines += [f"    {line}" for line in (each["error"] or "").splitlines()]
    return lines
