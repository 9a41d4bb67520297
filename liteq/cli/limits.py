"""`liteq limits`: show the limits of tasks, set and hold them.

To add an action: a function that returns the exit code, and its line in `ACTIONS`.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable

from ..app import LiteQ
from ..model.limit import LimitState, rate_text
from .apps import app_that_exists
from .exits import OK, misused, no_action
from .options import add_action, add_json, add_limit, count, seconds
from .output import local, moment, say, say_json, show, table
from .views import View

_HEAD = ("KEY", "RUNNING", "RATE", "BURST", "PASSED", "WAITING", "SINCE", "HELD UNTIL", "SET")


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add_action(parser, ACTIONS, "KEY")
    add("--running", type=count, metavar="N", help="set: how many run at once")
    add("--rate", metavar="RATE", help="set: how many start in a time: 60/m")
    add("--burst", type=count, metavar="N", help="set: how many of these start at once")
    add("--for", dest="seconds", type=seconds, metavar="SECONDS", help="hold: for how long")
    add_json(parser)
    add_limit(parser, 100, "limits to show")


def run(args: Namespace) -> int:
    """Run the action."""
    args.what, *args.keys = args.words or ["list"]
    if args.what not in ACTIONS:
        return no_action("limits", args.what, ACTIONS)
    return ACTIONS[args.what](app_that_exists(args), args)


def _list(app: LiteQ, args: Namespace) -> int:
    found = [each for each in app.limits.list() if not args.keys or each.key in args.keys]
    shown = found[: args.limit]
    document = {
        "store": app.broker.url,
        "limits": list(map(_view, shown)),
        "more": len(found) > args.limit,
    }
    rows = [_row(app, each) for each in shown]
    show(document, table([_HEAD, *rows]) if rows else ["no limits"], as_json=args.json)
    return OK


def _set(app: LiteQ, args: Namespace) -> int:
    options = {name: getattr(args, name) for name in ("running", "rate", "burst")}
    given = {name: value for name, value in options.items() if value is not None}
    if len(args.keys) != 1 or not given:
        return misused("limits set takes a key, and --running, --rate or --burst")
    app.limits.set(args.keys[0], **given)
    return _tell(app, args, args.keys, "set")


def _reset(app: LiteQ, args: Namespace) -> int:
    if not args.keys:
        return misused("limits reset takes keys")
    app.load_tasks()  # whose code says what they are
    for key in args.keys:
        app.limits.reset(key)
    return _tell(app, args, args.keys, "reset")


def _hold(app: LiteQ, args: Namespace) -> int:
    if not args.keys or args.seconds is None:
        return misused("limits hold takes keys, and --for so many seconds")
    return _hold_for(app, args, args.seconds, "held")


def _release(app: LiteQ, args: Namespace) -> int:
    if not args.keys:
        return misused("limits release takes keys")
    return _hold_for(app, args, 0.0, "released")


def _hold_for(app: LiteQ, args: Namespace, seconds: float, done: str) -> int:
    for key in args.keys:
        app.limits.hold(key, seconds)
    return _tell(app, args, args.keys, done)


ACTIONS: dict[str, Callable[[LiteQ, Namespace], int]] = {
    "list": _list,
    "set": _set,
    "reset": _reset,
    "hold": _hold,
    "release": _release,
}


def _tell(app: LiteQ, args: Namespace, keys: Iterable[str], done: str) -> int:
    if args.json:
        say_json({"store": app.broker.url, done: list(keys)})
    else:
        say(*(f"{key} is {done}" for key in keys))
    return OK


def _view(limit: LimitState) -> View:
    return {
        "key": limit.key,
        "name": limit.name,
        "running": limit.rule.running,
        "rate": limit.rule.rate,
        "burst": limit.rule.burst,
        "set": limit.fixed,
        "held": moment(limit.held),
        "passed": limit.passed,
        "waiting": limit.waiting,
        "since": moment(limit.since),
    }


def _row(app: LiteQ, limit: LimitState) -> tuple[object, ...]:
    running, rate, burst = limit.rule
    numbers = (running, None if rate is None else rate_text(rate), burst)
    held = limit.held if limit.held is not None and limit.held > app.broker.clock() else None
    times = (local(limit.since, app.timezone), local(held, app.timezone))
    return (limit.key, *numbers, limit.passed, limit.waiting, *times, "yes" if limit.fixed else "")
