"""`liteq backup`: copy the store while it is in use."""

import os
from argparse import ArgumentParser, Namespace

from .apps import app_of
from .exits import OK
from .options import add_json
from .output import say, say_json


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("file", metavar="FILE", help="the new file")
    add_json(parser)


def run(args: Namespace) -> int:
    """Copy the store, and print the size of the copy."""
    broker = app_of(args).broker
    path = os.path.abspath(args.file)
    broker.backup(path)
    size = os.stat(path).st_size
    if args.json:
        say_json({"store": broker.url, "file": path, "size": size})
    else:
        say(f"copied {broker.url} to {path} ({size:,} bytes)")
    return OK
