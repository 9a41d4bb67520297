"""`liteq control`: have workers do something, and show what they answer."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from ..worker.commands import COMMANDS
from ..worker.control import CONTROL
from .apps import app_that_exists
from .asking import add_asking, answer_views, answers_of, code_of, own_command, parsed, usage_of
from .exits import FAILED, OK, misused, no_action
from .options import add_json, add_optional_list
from .output import say, say_json
from .views import View

_OWN = {name: each for name, each in COMMANDS.items() if each.kind == CONTROL}


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    texts = ", ".join(f"{name} {each.signature}".strip() for name, each in _OWN.items())
    what = f"{texts}; or one that the application has defined"
    parser.add_argument("what", metavar="WHAT", help=what)
    add_optional_list(parser, "arguments", "ARGUMENT", "of that")
    add_asking(parser)
    add_json(parser)


def run(args: Namespace) -> int:
    """Give the order; return UNAVAILABLE when no worker answers, FAILED when one cannot do it."""
    app = app_that_exists(args)
    command = own_command(app, args.what, CONTROL) or _OWN.get(args.what)
    if command is None:
        return no_action("control", args.what, _OWN)
    try:
        arguments = parsed(command, args.arguments)
    except ValueError as exc:
        return misused(f"{usage_of('control', command)}: {exc}")
    replies = answers_of(app, command, arguments, args)
    document = answer_views(replies, _view)
    if args.json:
        say_json(document)
    else:
        say(*_lines(document))
    failed = any("error" in each for each in document["workers"])
    return code_of(replies, FAILED if failed else OK)


def _view(answer: Any) -> View:
    return {"answer": answer["ok"] if isinstance(answer, dict) and "ok" in answer else answer}


def _lines(document: View) -> Iterator[str]:
    for each in document["workers"]:
        text = f"error: {each['error']}" if "error" in each else each["answer"]
        yield f"-> {each['name']}: {text}"
