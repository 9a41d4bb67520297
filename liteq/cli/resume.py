"""`liteq resume`: let workers begin what was paused."""

from argparse import ArgumentParser, Namespace

from .apps import app_that_exists
from .exits import FAILED, missing, misused
from .options import add_json
from .output import say, say_json
from .views import pause_view


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("queues", nargs="*", metavar="QUEUE", help="queues")
    add("--task", action="append", default=[], metavar="NAME", help="all tasks of this name")
    add("--all", action="store_true", help="all tasks of the store; other pauses stay")
    add_json(parser)


def run(args: Namespace) -> int:
    """Resume what is named; return FAILED when none of it was paused."""
    if not (args.queues or args.task or args.all):
        return misused("resume takes queues, --task or --all: liteq pause lists what is paused")
    control = (app := app_that_exists(args)).control
    found = {f"the queue {each!r}": control.resume(each) for each in args.queues}
    found |= {f"the task {each!r}": control.resume(task=each) for each in args.task}
    if args.all:
        found["the whole store"] = control.resume()
    resumed = [what for what, was_paused in found.items() if was_paused]
    if args.json:
        left = list(map(pause_view, control.paused()))
        say_json({"store": app.broker.url, "resumed": resumed, "paused": left})
    else:
        say(*(f"{what} is resumed" for what in resumed))
    code = missing(f"{what} was not paused" for what, was_paused in found.items() if not was_paused)
    return code if resumed else FAILED
