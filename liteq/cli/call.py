"""`liteq call`: send a task by name."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..app import LiteQ
from ..exceptions import InvalidTaskError
from ..result import AsyncResult
from .apps import app_of
from .exits import OK
from .options import json_list, json_object, seconds
from .output import say, say_json
from .task_result import add_options, show_result, wants_to_wait
from .tasknames import warn_of_unknown


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("name", metavar="NAME", help="the task, such as project.tasks.add")
    add("-a", "--args", type=json_list, default=[], metavar="JSON", help="a list: '[2, 3]'")
    add(
        "-k",
        "--kwargs",
        type=json_object,
        default={},
        metavar="JSON",
        help="an object: '{\"x\": 2}'",
    )
    when = parser.add_mutually_exclusive_group()
    when.add_argument("-c", "--countdown", type=seconds, metavar="SECONDS", help="not before")
    when.add_argument("-e", "--eta", type=_moment, metavar="TIME", help="not before: ISO 8601")
    add("-x", "--expires", type=_expiry, metavar="WHEN", help="not after: seconds, or ISO 8601")
    add("-Q", "--queue", help="instead of the task's")
    add("--priority", type=int, metavar="N", help="higher first")
    add("-S", "--serializer", metavar="NAME", help="of the arguments: json, pickle or your own")
    add(
        "--task-id",
        metavar="ID",
        help="instead of a new one; not sent while one of it is unfinished",
    )
    add_options(parser)


def run(args: Namespace) -> int:
    """Send the task and print its id; with --wait, also its result."""
    app = app_of(args)
    app.load_tasks()
    result = _send(app, args)
    waits = wants_to_wait(args)
    if not args.json:
        say(result.id)
    elif not waits:
        say_json({"id": result.id, "name": args.name})
    return show_result(app, result.id, args) if waits else OK


def _send(app: LiteQ, args: Namespace) -> AsyncResult[Any]:
    options = {
        name: value
        for name in ("countdown", "eta", "expires", "queue", "priority", "serializer", "task_id")
        if (value := getattr(args, name)) is not None
    }
    try:
        return _sender(app, args)(args.args, args.kwargs, **options)
    except (TypeError, ValueError) as exc:  # arguments that do not fit the task, or a wrong option
        raise InvalidTaskError(f"{args.name} was not sent: {exc}") from exc


def _sender(app: LiteQ, args: Namespace) -> Callable[..., AsyncResult[Any]]:
    """Return the task's `apply_async`, or what sends it by name if it is not registered."""
    if not warn_of_unknown(app, args, args.name):
        sender: Callable[..., AsyncResult[Any]] = app.tasks[args.name].apply_async
        return sender
    return lambda *values, **options: app.send_task(args.name, *values, **options)


# types of options: argparse shows their errors and exits with 2


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as exc:
        raise ArgumentTypeError(f"{text!r} is not a time such as 2030-01-31T18:00:00") from exc


def _expiry(text: str) -> float | datetime:
    try:
        return seconds(text)
    except ArgumentTypeError:
        return _moment(text)
