"""`liteq inspect`: show tasks and workers. All is read from the store; no worker is asked.

To add a view: a function that returns its JSON document, and its line in `VIEWS`.
"""

import platform
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from ..app import LiteQ
from ..app.inspect import SILENT
from ..brokers.base import WorkerInfo
from ..model.message import Record
from ..states import Phase
from ..version import __version__
from .apps import app_of, app_that_exists, store_exists
from .exits import FAILED, OK, UNAVAILABLE, misused
from .options import add_json, add_limit, add_optional_list, names, one_of
from .outline import outline
from .output import show
from .views import View, bounded, queue_views, task_view, worker_tasks, worker_view


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("what", type=one_of(VIEWS), metavar="WHAT", help=", ".join(VIEWS))
    add_optional_list(parser, "ids", "ID", "tasks, for query_task only")
    add("-d", "--destination", type=names, metavar="NAMES", help="only these workers")
    add_json(parser)
    add_limit(parser, 100, "tasks, workers and names to show")


def run(args: Namespace) -> int:
    """Print the view; return UNAVAILABLE when no worker is alive, FAILED for an unknown task."""
    if bool(args.ids) != (args.what == "query_task"):
        return misused("inspect query_task takes the ids of tasks, and nothing else does")
    app = app_of(args) if args.what in _OF_THE_APP else app_that_exists(args)
    document = VIEWS[args.what](app, args)
    shown = bounded(document, args.limit)
    show(shown, outline(shown), as_json=args.json)
    if args.what == "ping" and not any(worker["pong"] for worker in document["workers"]):
        return UNAVAILABLE
    if args.what == "query_task" and not all(task["state"] for task in document["tasks"]):
        return FAILED
    return OK


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


def _registered(app: LiteQ, args: Namespace) -> View:
    """Return the names of tasks by worker; with -A, also those of the application itself."""
    app.load_tasks()
    workers = [
        {"name": worker.name, "tasks": worker_tasks(worker)} for worker in _workers(app, args)
    ]
    own = {"name": args.app, "tasks": app.tasks.names()} if args.app else None
    return {"workers": workers, "app": own}


def _stats(app: LiteQ, args: Namespace) -> View:
    counts = app.broker.counts() if store_exists(app) else []
    return {"workers": _worker_views(app, args), "queues": queue_views(counts)}


def _active_queues(app: LiteQ, args: Namespace) -> View:
    views = _worker_views(app, args)
    return {"workers": [{"name": view["name"], "queues": view["queues"]} for view in views]}


def _conf(app: LiteQ, args: Namespace) -> View:
    return {"settings": {name: str(value) for name, value in app.conf.table().items()}}


def _revoked(app: LiteQ, args: Namespace) -> View:
    records, more = _listing(app, Phase.CANCELLED, args)
    return {"tasks": [task_view(record) for record in records], "more": more}


def _report(app: LiteQ, args: Namespace) -> View:
    return {
        "liteq": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "store": app.broker.url,
        **_conf(app, args),
        **_stats(app, args),
    }


def _ping(app: LiteQ, args: Namespace) -> View:
    ages = [(view["name"], view["beat_age"]) for view in _worker_views(app, args)]
    return {"workers": [{"name": n, "pong": age < SILENT, "beat_age": age} for n, age in ages]}


def _query_task(app: LiteQ, args: Namespace) -> View:
    found = zip(args.ids, app.broker.fetch(args.ids), strict=True)
    return {"tasks": [task_view(record) if record else _unknown(id) for id, record in found]}


VIEWS: dict[str, Callable[[LiteQ, Namespace], View]] = {
    "active": _active,
    "reserved": _reserved,
    "scheduled": _scheduled,
    "registered": _registered,
    "stats": _stats,
    "active_queues": _active_queues,
    "report": _report,
    "conf": _conf,
    "revoked": _revoked,
    "ping": _ping,
    "query_task": _query_task,
}
_OF_THE_APP = ("registered", "report", "conf")  # worth a look although there is no store yet


def _listing(app: LiteQ, phase: Phase, args: Namespace) -> tuple[list[Record], bool]:
    """Return the oldest tasks in `phase`, and whether there are more than `--limit`."""
    records = app.broker.listing([phase], args.limit + 1)
    return records[: args.limit], len(records) > args.limit


def _workers(app: LiteQ, args: Namespace) -> list[WorkerInfo]:
    found = app.broker.workers() if store_exists(app) else []
    return [worker for worker in found if _wanted(worker.name, args)]


def _worker_views(app: LiteQ, args: Namespace) -> list[View]:
    now = app.broker.clock()
    return [worker_view(worker, now) for worker in _workers(app, args)]


def _wanted(name: str | None, args: Namespace) -> bool:
    return not args.destination or name in args.destination


def _groups(tasks: dict[str | None, list[View]]) -> list[View]:
    return [{"name": name, "tasks": tasks[name]} for name in tasks]


def _unknown(id: str) -> View:
    return {"id": id, "name": None, "state": None}
