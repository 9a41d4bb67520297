"""`liteq inspect`: show tasks and workers.

What is about tasks is read from the store; what is about workers they are asked for. To add a view
of tasks: a function that returns its JSON document, and its line in `_OF_TASKS`; of workers: a
command of theirs, and its line in `_ASKED`.
"""

import platform
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from ..app import LiteQ
from ..brokers.base import WorkerInfo
from ..model.message import Record
from ..states import Phase
from ..version import __version__
from ..worker.commands import COMMANDS
from ..worker.control import INSPECT, Command
from .apps import app_of, app_that_exists, store_exists
from .asking import (
    add_asking,
    answer_views,
    answers_of,
    code_of,
    for_people,
    own_command,
    parsed,
    usage_of,
)
from .exits import FAILED, OK, misused, no_action
from .options import add_json, add_limit, add_optional_list
from .outline import outline
from .output import show
from .views import View, bounded, queue_views, task_view


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("what", metavar="WHAT", help=", ".join(VIEWS))
    add_optional_list(parser, "ids", "ID", "tasks, for query_task; attributes, for registered")
    add_asking(parser)
    add_json(parser)
    add_limit(parser, 100, "tasks, workers and names to show")


def run(args: Namespace) -> int:
    """Print the view; return UNAVAILABLE when no worker answers, FAILED for an unknown task."""
    if args.what in _ASKED:
        return _ask(args, COMMANDS[args.what], _ASKED[args.what])
    if args.what not in _OF_TASKS:
        command = own_command(app_of(args), args.what, INSPECT)
        if command is None:
            return no_action("inspect", args.what, VIEWS)
        return _ask(args, command, lambda answer: {"answer": answer})
    if bool(args.ids) != (args.what == "query_task"):
        return misused("inspect query_task takes the ids of tasks, and other views of them none")
    document = _OF_TASKS[args.what](app_that_exists(args), args)
    _show(document, args)
    if args.what == "query_task" and not all(task["state"] for task in document["tasks"]):
        return FAILED
    return OK


def _ask(args: Namespace, command: Command, view: Callable[[Any], View]) -> int:
    """Ask workers, and show what they answer."""
    try:
        arguments = parsed(command, args.ids)
    except ValueError as exc:
        return misused(f"{usage_of('inspect', command)}: {exc}")
    local = _LOCAL.get(args.what)
    app = app_that_exists(args) if local is None else app_of(args)
    replies = answers_of(app, command, arguments, args)
    document = {**(local(app, args) if local else {}), **answer_views(replies, view)}
    _show(document, args)
    return OK if args.what == "report" else code_of(replies, OK)


def _show(document: View, args: Namespace) -> None:
    shown = bounded(document, args.limit)
    show(shown, outline(for_people(shown)), as_json=args.json)


def _active(app: LiteQ, args: Namespace) -> View:
    records, more = _listing(app, Phase.RUNNING, args)
    held: dict[str | None, list[View]] = {worker.name: [] for worker in _workers(app, args)}
    for record in records:
        if _wanted(record.worker, args):
            held.setdefault(record.worker, []).append(task_view(record))
    return {"workers": _groups(held), "more": more}


def _reserved(app: LiteQ, args: Namespace) -> View:
    return _waiting(app, Phase.READY, args)


def _scheduled(app: LiteQ, args: Namespace) -> View:
    return _waiting(app, Phase.SCHEDULED, args)


def _waiting(app: LiteQ, phase: Phase, args: Namespace) -> View:
    """Return tasks by queue, as no worker has claimed them yet."""
    records, more = _listing(app, phase, args)
    queues: dict[str | None, list[View]] = {}
    for record in records:
        queues.setdefault(record.message.queue, []).append(task_view(record))
    return {"queues": _groups(queues), "more": more}


def _revoked(app: LiteQ, args: Namespace) -> View:
    records, more = _listing(app, Phase.CANCELLED, args)
    return {"tasks": [task_view(record) for record in records], "more": more}


def _query_task(app: LiteQ, args: Namespace) -> View:
    found = zip(args.ids, app.broker.fetch(args.ids), strict=True)
    return {"tasks": [task_view(record) if record else _unknown(id) for id, record in found]}


# What the program that is typed tells itself, beside what workers answer: a view to be shown also
# where there is no store yet.


def _own_tasks(app: LiteQ, args: Namespace) -> View:
    app.load_tasks()
    return {"app": {"name": args.app, "tasks": app.tasks.names()} if args.app else None}


def _own_settings(app: LiteQ, args: Namespace) -> View:
    return {"app": {"name": args.app, **_settings(app.conf.table())} if args.app else None}


def _own_report(app: LiteQ, args: Namespace) -> View:
    return {
        "liteq": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "store": app.broker.url,
        **_settings(app.conf.table()),
        **_queues(app, args),
    }


def _queues(app: LiteQ, args: Namespace) -> View:
    return {"queues": queue_views(app.broker.counts() if store_exists(app) else [])}


def _settings(table: dict[str, Any]) -> View:
    return {"settings": {name: str(value) for name, value in table.items()}}


_LOCAL: dict[str, Callable[[LiteQ, Namespace], View]] = {
    "registered": _own_tasks,
    "conf": _own_settings,
    "report": _own_report,
    "stats": _queues,
}

_ASKED: dict[str, Callable[[Any], View]] = {
    "registered": lambda answer: {"tasks": list(answer)},
    "stats": dict,
    "active_queues": lambda answer: {"queues": [queue["name"] for queue in answer]},
    "report": lambda answer: {"report": answer["ok"]},
    "conf": _settings,
    "ping": lambda answer: {"pong": answer["ok"] == "pong"},
    "clock": dict,
}
"""What workers are asked for: makes the view of a worker of its answer."""

_OF_TASKS: dict[str, Callable[[LiteQ, Namespace], View]] = {
    "active": _active,
    "reserved": _reserved,
    "scheduled": _scheduled,
    "revoked": _revoked,
    "query_task": _query_task,
}
VIEWS = [*_OF_TASKS, *_ASKED]


def _listing(app: LiteQ, phase: Phase, args: Namespace) -> tuple[list[Record], bool]:
    """Return the oldest tasks in `phase`, and whether there are more than `--limit`."""
    records = app.broker.listing([phase], args.limit + 1)
    return records[: args.limit], len(records) > args.limit


def _workers(app: LiteQ, args: Namespace) -> list[WorkerInfo]:
    found = app.broker.workers() if store_exists(app) else []
    return [worker for worker in found if _wanted(worker.name, args)]


def _wanted(name: str | None, args: Namespace) -> bool:
    return not args.destination or name in args.destination


def _groups(tasks: dict[str | None, list[View]]) -> list[View]:
    return [{"name": name, "tasks": tasks[name]} for name in tasks]


def _unknown(id: str) -> View:
    return {"id": id, "name": None, "state": None}
