"""`liteq emit`: emit an event, for which tasks wait."""

from argparse import ArgumentParser, Namespace

from .apps import app_of
from .exits import OK
from .options import add_json, json_value
from .output import say, say_json


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("key", metavar="KEY", help="the event, such as approved:17")
    parser.add_argument(
        "value", nargs="?", type=json_value, metavar="JSON", help='its value: \'{"by": "ann"}\''
    )
    add_json(parser)


def run(args: Namespace) -> int:
    """Emit the event and say whether it was the first of its key."""
    app = app_of(args)
    if not args.app:  # whatever the application encodes with, its workers read JSON
        app.conf.result_serializer = "json"
    first = app.emit(args.key, args.value)
    if args.json:
        say_json({"store": app.broker.url, "key": args.key, "first": first})
    else:
        say("emitted" if first else "emitted before: the first event of a key counts")
    return OK
