"""`liteq pause`: have workers begin nothing of a queue, of a task, or at all."""

from argparse import ArgumentParser, Namespace

from ..app import LiteQ
from ..brokers.serving import is_paused, names_in, served_queues
from ..model.pause import KEEP, SCHEDULES
from ..support.nearest import did_you_mean
from .apps import app_that_exists
from .exits import OK
from .options import add_json
from .output import complain, say, say_json
from .views import pause_view


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("queues", nargs="*", metavar="QUEUE", help="queues; nothing at all: list what is paused")
    add("--task", action="append", default=[], metavar="NAME", help="all tasks of this name")
    add("--all", action="store_true", help="all tasks of the store")
    add(
        "--schedules",
        choices=SCHEDULES,
        default=KEEP,
        help="whether periodic tasks are sent meanwhile, or their runs passed over (default: keep)",
    )
    add_json(parser)


def run(args: Namespace) -> int:
    """Pause what is named; print all that is paused."""
    app = app_that_exists(args)
    _warn_of_unknown(app, args)
    for queue in args.queues:
        app.control.pause(queue, schedules=args.schedules)
    for task in args.task:
        app.control.pause(task=task, schedules=args.schedules)
    if args.all:
        app.control.pause(schedules=args.schedules)
    paused = app.control.paused()
    if args.json:
        say_json({"store": app.broker.url, "paused": list(map(pause_view, paused))})
    else:
        say(*[is_paused(each, app.timezone) for each in paused] or ["nothing is paused"])
    return OK


def _warn_of_unknown(app: LiteQ, args: Namespace) -> None:
    """Print a line for each queue and task of which the store knows nothing yet: a misspelt one."""
    if not (args.queues or args.task):
        return
    workers = app.broker.workers()
    queues = served_queues(workers) | {count.queue for count in app.broker.counts()}
    tasks = {name for worker in workers for name in names_in(worker, "tasks")}
    for queue in args.queues:
        if queue not in queues:
            hint = did_you_mean(queue, queues)
            complain(f"warning: no worker serves the queue {queue!r}, and nothing is in it{hint}")
    for task in args.task:
        if workers and task not in tasks:
            complain(f"warning: no worker knows the task {task!r}{did_you_mean(task, tasks)}")
