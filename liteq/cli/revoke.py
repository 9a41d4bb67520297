"""`liteq revoke`: cancel tasks by id, name or header."""

from argparse import ArgumentParser, Namespace

from .apps import app_that_exists
from .exits import FAILED, missing, misused
from .options import add_json, header
from .output import say, say_json


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("ids", nargs="*", metavar="ID", help="tasks")
    add("--task", metavar="NAME", help="every unfinished task of this name")
    add("--header", type=header, metavar="NAME=VALUE", help="every one that has this header")
    add("--only", action="store_true", help="not those before them in their workflows")
    add("--terminate", action="store_true", help="end those that run as well")
    add_json(parser)


def run(args: Namespace) -> int:
    """Revoke the tasks; return FAILED when there was nothing to revoke."""
    control = app_that_exists(args).control
    if not (args.ids or args.task or args.header):
        return misused("revoke takes the ids of tasks, --task or --header")
    revoked: list[str] = []
    unknown = []
    for id in args.ids:  # that of a group is not among those that are revoked
        found = control.revoke(id, terminate=args.terminate, workflow=not args.only)
        if not found and id not in revoked:
            unknown.append(id)
        revoked += (each for each in found if each not in revoked)
    if args.task:
        revoked += control.revoke_by_name(args.task, terminate=args.terminate)
    if args.header:
        revoked += control.revoke_by_headers(args.header, terminate=args.terminate)
    if args.json:
        say_json({"revoked": revoked})
    else:
        say(*(f"revoked {id}" for id in revoked))
    code = missing(f"{id} has finished, or is not known" for id in unknown)
    return code if revoked else FAILED
