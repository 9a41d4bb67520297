"""`liteq logs`: show what a task has printed and logged."""

import json
from argparse import ArgumentParser, Namespace

from ..app import LiteQ
from ..model.output import OutputLine
from .apps import app_that_exists
from .exits import FAILED, OK
from .options import add_json, add_limit, count
from .output import complain, say, show
from .outputlines import line_texts, line_view

_LOOK_EVERY = 0.5  # seconds between two looks at a task that runs


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("id", metavar="ID", help="the task, as `call` or `delay()` named it")
    add("-f", "--follow", action="store_true", help="show what comes, until the task has ended")
    add("--attempt", type=count, metavar="N", help="only of this attempt, from 1")
    add_json(parser)
    add_limit(parser, 1000, "lines to show: the last ones; with -f, those that are there already")


def run(args: Namespace) -> int:
    """Print the lines; return FAILED when the task is not known."""
    app = app_that_exists(args)
    if app.backend.record(args.id) is None:
        complain(f"{app.broker.url} knows no task {args.id}: never sent there, or expired since")
        return FAILED
    if args.follow:
        _follow(app, args)
        return OK
    found = _wanted(app.broker.output(args.id, _before(args)), args)
    lines = found[-args.limit :]
    document = {
        "store": app.broker.url,
        "id": args.id,
        "lines": list(map(line_view, lines)),
        "more": len(lines) < len(found),
    }
    texts = line_texts(lines, app.timezone) if lines else ["no output of this task is kept"]
    show(document, texts, as_json=args.json)
    return OK


def _follow(app: LiteQ, args: Namespace) -> None:
    """Print lines as they come, until the task has ended; in JSON, a document for each."""
    last, before = _before(args), None
    while True:
        record = app.backend.record(args.id)  # first: what it has printed comes no later
        found = app.broker.output(args.id, last)
        wanted = _wanted(found, args)
        for line in wanted if before else wanted[-args.limit :]:
            if args.json:
                print(json.dumps(line_view(line)), flush=True)
            else:
                say(*line_texts([line], app.timezone, before))
            before = line
        if found:
            last = found[-1][:2]
        if record is None or record.phase.final:
            return
        app.backend.wait(args.id, _LOOK_EVERY)


def _before(args: Namespace) -> tuple[int, int]:
    """Return the place of a line that is before the first one to show."""
    return (args.attempt or 0, 0)


def _wanted(lines: list[OutputLine], args: Namespace) -> list[OutputLine]:
    return [line for line in lines if args.attempt in (None, line.attempt)]
