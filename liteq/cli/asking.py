"""What commands that ask workers have in common: their options, and what is said of the silent."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..app import LiteQ
from ..app.orders import Replies, ask, destination_of
from ..worker.control import Command, Panel
from .apps import store_exists
from .exits import UNAVAILABLE
from .options import names, seconds
from .output import complain
from .views import View


def add_asking(parser: ArgumentParser) -> None:
    """Add the options about whom to ask, and for how long."""
    add = parser.add_argument
    add("-d", "--destination", type=names, metavar="NAMES", help="only these workers")
    add(
        "-t",
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="to wait for answers of workers (default: 1)",
    )


def own_command(app: LiteQ, name: str, kind: str) -> Command | None:
    """Return the command `name` of that kind that the application has defined; None for none."""
    app.load_tasks()
    found = Panel.data.get(name)
    return found if found is not None and found.kind == kind else None


def answers_of(
    app: LiteQ, command: Command, arguments: Mapping[str, Any], args: Namespace
) -> Replies:
    """Return what workers answer; complain of those that do not."""
    to, timeout = destination_of(args.destination), args.timeout or command.timeout
    if store_exists(app):
        replies = ask(app, command.name, arguments, to, timeout)
    else:  # to ask must not make one
        replies = Replies([], unknown=args.destination or ())
    if complaint := replies.complaint(command.name):
        complain(complaint)
    elif not replies.answers:
        complain(f"{command.name}: no worker is up")
    return replies


def answer_views(replies: Replies, view: Callable[[Any], View]) -> View:
    """Return the document of answers: `view` makes the keys of each worker's."""
    return {
        "workers": [
            {"name": name, **_viewed(answer, view)}
            for name, answer in sorted(replies.answers, key=lambda each: each[0])
        ],
        "silent": list(replies.silent),
        "gone": list(replies.gone),
        "unknown": list(replies.unknown),
    }


def for_people(document: View) -> View:
    """Return the document without what was complained of already."""
    hidden = ("silent", "gone", "unknown")
    return {key: value for key, value in document.items() if key not in hidden}


def code_of(replies: Replies, otherwise: int) -> int:
    """Return the exit code: UNAVAILABLE, as Celery does, when no worker has answered."""
    return otherwise if replies.answers else UNAVAILABLE


def usage_of(verb: str, command: Command) -> str:
    """Return how a command is typed."""
    return " ".join(filter(None, (verb, command.name, command.signature)))


def parsed(command: Command, words: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of a command, given as words. Raises ValueError for wrong ones."""
    rest = words[len(command.args) :]
    if rest and command.variadic is None:
        raise ValueError(f"one argument too many: {rest[0]!r}")
    found = {}
    for (name, kind), word in zip(command.args, words, strict=False):
        try:
            found[name] = kind(word)
        except (TypeError, ValueError):
            raise ValueError(f"{name} cannot be {word!r}") from None
    if command.variadic is not None and rest:
        found[command.variadic] = list(rest)
    return found


def _viewed(answer: Any, view: Callable[[Any], View]) -> View:
    if isinstance(answer, dict) and set(answer) == {"error"}:
        return {"error": answer["error"]}
    try:
        return view(answer)
    except (AttributeError, KeyError, TypeError, ValueError):  # another version's, or no worker's
        return {"answer": answer}
