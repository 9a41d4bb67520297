"""`liteq schedule`: list and change the periodic tasks in the store.

To add an action: a function that returns the exit code, and its line in `ACTIONS`.
"""

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from datetime import tzinfo

from ..app import LiteQ
from ..model.entry import MISFIRES, Entry
from ..schedules import BaseSchedule, crontab, schedule, solar
from ..support.zones import title_of
from .apps import app_of, app_that_exists
from .exits import OK, missing, misused, no_action
from .options import (
    add_action,
    add_json,
    add_limit,
    json_list,
    json_object,
    seconds,
)
from .output import local, moment, say, say_json, show, table
from .tasknames import warn_of_unknown
from .views import View

_COLUMNS = ("name", "task", "schedule", "next", "last", "runs", "app")
_OPTIONS = ("queue", "priority", "expires", "timezone", "misfire", "grace", "jitter")


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add_action(parser, ACTIONS, "NAME")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--every", type=_every, metavar="SECONDS", help="add: an interval")
    when.add_argument("--cron", type=_cron, metavar="LINE", help="add: '*/5 8-17 * * mon-fri'")
    when.add_argument("--sun", type=_sun, metavar="EVENT,LAT,LON", help="add: 'sunset,48.9,2.4'")
    add("-a", "--args", type=json_list, default=[], metavar="JSON", help="add: a list: '[2, 3]'")
    add("-k", "--kwargs", type=json_object, default={}, metavar="JSON", help="add: an object")
    add("-Q", "--queue", help="add: instead of the task's")
    add("--priority", type=int, metavar="N", help="add: higher first")
    add("-x", "--expires", type=seconds, metavar="SECONDS", help="add: not started after so long")
    add("--timezone", metavar="ZONE", help="add: instead of the application's")
    add("--misfire", choices=MISFIRES, help="add: what to do about missed moments")
    add("--grace", type=seconds, metavar="SECONDS", help="add: how late a run may begin")
    add("--jitter", type=seconds, metavar="SECONDS", help="add: up to so much later, at random")
    add("--no-overlap", action="store_true", help="add: not while the last run goes on")
    add_json(parser)
    add_limit(parser, 100, "schedules, or moments of next, to show")


def run(args: Namespace) -> int:
    """Run the action; return FAILED when there is no schedule of one of the names."""
    args.what, *args.names = args.words or ["list"]
    if args.what not in ACTIONS:
        return no_action("schedule", args.what, ACTIONS)
    app = app_of(args) if args.what == "add" else app_that_exists(args)
    return ACTIONS[args.what](app, args)


def _list(app: LiteQ, args: Namespace) -> int:
    entries = [each for each in app.schedules if not args.names or each.name in args.names]
    shown = entries[: args.limit]
    views = [_view(each) for each in shown]
    document = {"store": app.broker.url, "schedules": views, "more": len(entries) > args.limit}
    rows = [_row(entry, view, app.timezone) for entry, view in zip(shown, views, strict=True)]
    head = [key.upper() for key in _COLUMNS]
    head[_COLUMNS.index("next")] += f" ({title_of(app.timezone)})"
    show(document, table([head, *rows]) if rows else ["no schedules"], as_json=args.json)
    return OK


def _add(app: LiteQ, args: Namespace) -> int:
    timing = args.every or args.cron or args.sun
    if len(args.names) != 2 or timing is None:
        return misused("schedule add takes a name, a task, and one of --every, --cron and --sun")
    name, task = args.names
    app.load_tasks()
    warn_of_unknown(app, args, task)
    options = {each: getattr(args, each) for each in _OPTIONS if getattr(args, each) is not None}
    overlap = not args.no_overlap
    entry = app.schedules.add(
        name, timing, task, args.args, args.kwargs, overlap=overlap, **options
    )
    if args.json:
        say_json({"store": app.broker.url, "schedule": _view(entry)})
    else:
        say(f"{name} fires at {local(entry.due, app.timezone, named=True)}")
    return OK


def _next(app: LiteQ, args: Namespace) -> int:
    found = app.schedules.next(args.limit, *args.names)
    if args.json:
        coming = [{"when": each.when.isoformat(), "name": each.name} for each in found]
        say_json({"store": app.broker.url, "moments": coming})
    else:
        say(*(f"{each.when.isoformat()}  {each.name}" for each in found))
    known = {entry.name for entry in app.schedules}
    return _missing(app, [name for name in args.names if name not in known])


def _run(app: LiteQ, args: Namespace) -> int:
    if not args.names:
        return misused("schedule run takes the names of schedules")
    known = {entry.name for entry in app.schedules}
    sent = {name: app.schedules.run(name).id for name in args.names if name in known}
    if args.json:
        say_json({"store": app.broker.url, "sent": sent})
    else:
        say(*(f"{name} was sent as {id}" for name, id in sent.items()))
    return _missing(app, [name for name in args.names if name not in known])


def _to_each(verb: str, done: str) -> Callable[[LiteQ, Namespace], int]:
    def act(app: LiteQ, args: Namespace) -> int:
        if not args.names:
            return misused(f"schedule {verb} takes the names of schedules")
        changed = getattr(app.schedules, verb)(*args.names)
        if args.json:
            say_json({"store": app.broker.url, done: changed})
        else:
            say(*(f"{name} is {done}" for name in changed))
        return _missing(app, [name for name in args.names if name not in changed])

    return act


ACTIONS: dict[str, Callable[[LiteQ, Namespace], int]] = {
    "list": _list,
    "add": _add,
    "pause": _to_each("pause", "paused"),
    "resume": _to_each("resume", "resumed"),
    "run": _run,
    "remove": _to_each("remove", "removed"),
    "next": _next,
}


def _missing(app: LiteQ, names: list[str]) -> int:
    return missing(f"{app.broker.url} has no schedule {name}" for name in names)


def _view(entry: Entry) -> View:
    message = entry.message
    return {
        "name": entry.name,
        "task": message.task,
        "schedule": json.loads(entry.schedule),
        "next": moment(entry.due),
        "last": moment(entry.last),
        "last_id": entry.last_id,
        "runs": entry.runs,
        "paused": entry.paused,
        "app": entry.app,
        "undeclared": entry.undeclared,
        "misfire": entry.misfire,
        "grace": entry.grace,
        "overlap": entry.overlap,
        "jitter": entry.jitter,
        "expires_after": entry.expires,
        "queue": message.queue,
        "priority": message.priority,
        "serializer": message.serializer,
        "size": len(message.payload),
    }


def _row(entry: Entry, view: View, zone: tzinfo) -> list[object]:
    cells = {
        **view,
        "schedule": " ".join(f"{key} {value}" for key, value in view["schedule"].items()),
        "next": "paused" if entry.paused else local(entry.due, zone),
        "last": local(entry.last, zone),
    }
    return [cells[column] for column in _COLUMNS]


# types of options: argparse shows their errors and exits with 2


def _every(text: str) -> BaseSchedule:
    return _schedule(lambda: schedule(seconds(text)))


def _cron(text: str) -> BaseSchedule:
    return _schedule(lambda: crontab.from_string(text))


def _sun(text: str) -> BaseSchedule:
    event, _, place = text.partition(",")
    latitude, _, longitude = place.partition(",")
    return _schedule(lambda: solar(event, float(latitude), float(longitude)))


def _schedule(make: Callable[[], BaseSchedule]) -> BaseSchedule:
    try:
        return make()
    except ValueError as exc:
        raise ArgumentTypeError(str(exc)) from exc
