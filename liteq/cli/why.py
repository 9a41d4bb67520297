"""`liteq why`: say why tasks wait, ended as they did, or ran more than once."""

from argparse import ArgumentParser, Namespace

from .apps import app_that_exists
from .exits import FAILED, OK
from .options import add_json
from .output import say, say_json


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("ids", nargs="+", metavar="ID", help="tasks")
    add_json(parser)


def run(args: Namespace) -> int:
    """Print a sentence for each; return FAILED when one of them is not known."""
    app = app_that_exists(args)
    reasons = {id: app.jobs.why(id) for id in args.ids}
    if args.json:
        say_json({"store": app.broker.url, "why": reasons})
    else:
        say(*(f"{id}: {reason}" for id, reason in reasons.items()))
    return OK if all(app.broker.fetch(args.ids)) else FAILED
