"""`liteq purge`: drop the tasks that wait to be run."""

import sys
from argparse import ArgumentParser, Namespace

from ..brokers.base import Broker
from ..states import Phase
from ..support.printable import counted
from .apps import app_that_exists
from .exits import FAILED, OK, USAGE
from .options import add_json, names
from .output import complain, escape, say, say_json


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("-Q", "--queues", type=names, help="only these, comma-separated (default: all)")
    add("-X", "--exclude-queues", type=names, default=[], help="all but these")
    add("-f", "--force", action="store_true", help="do not ask")
    add_json(parser)


def run(args: Namespace) -> int:
    """Ask, drop the tasks, print how many. Running tasks are left alone."""
    broker = app_that_exists(args).broker
    queues = _queues(broker, args)
    if not args.force:
        if not sys.stdin.isatty():
            complain("purge drops tasks for good, and there is no terminal to ask on: give --force")
            return USAGE
        if not _agreed(broker, queues):
            complain("nothing was purged")
            return FAILED
    purged = broker.purge(queues)
    if args.json:
        say_json({"store": broker.url, "queues": queues, "purged": purged})
    else:
        say(f"purged {counted(purged, 'task')} from {_where(queues)}")
    return OK


def _queues(broker: Broker, args: Namespace) -> list[str] | None:
    """Return the queues to purge; None for all."""
    if not args.exclude_queues:
        queues: list[str] | None = args.queues
        return queues
    known = args.queues or dict.fromkeys(queue for queue, _, _ in broker.counts())
    return [name for name in known if name not in args.exclude_queues]


def _agreed(broker: Broker, queues: list[str] | None) -> bool:
    waiting = sum(
        count
        for queue, phase, count in broker.counts()
        if phase in (Phase.SCHEDULED, Phase.READY) and (queues is None or queue in queues)
    )
    question = f"Drop {counted(waiting, 'task')} of {_where(queues)} in {broker.url}? [yes/no] "
    # On standard error, as with --json standard output is one document.
    print(escape(question), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _where(queues: list[str] | None) -> str:
    return "all queues" if queues is None else ", ".join(queues) or "no queue"
