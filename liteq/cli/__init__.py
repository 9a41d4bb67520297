"""The command line: one file for each command.

To add one: a module beside this file with `configure` and `run` (`check_celery` for
`check-celery`), its line in `COMMANDS`, and a heading in docs/reference/cli.md (a test compares).
"""

import os
import sys
import traceback
from argparse import REMAINDER, SUPPRESS, ArgumentError, ArgumentParser, Namespace
from importlib import import_module
from io import TextIOWrapper
from typing import Protocol

from ..pools import PoolBroken
from ..support.nearest import did_you_mean
from ..version import __version__
from .celery_flags import ALIASES, ELSEWHERE, add_celery_flags
from .exits import exit_code, misused
from .options import OptionalInBrackets
from .output import complain

COMMANDS = {
    "worker": "run tasks until stopped",
    "beat": "fire periodic tasks, and do nothing else",
    "status": "show who works and what waits",
    "call": "send a task by name",
    "emit": "emit an event, for which tasks wait",
    "jobs": "list the tasks that were sent, and retry, cancel or delete them",
    "why": "say why tasks wait, ended as they did, or ran more than once",
    "result": "show the result of a task",
    "graph": "show a workflow: its tasks, their states, what waits for what",
    "inspect": "show running, waiting and registered tasks",
    "shell": "open a Python prompt with the application and its tasks",
    "purge": "drop the tasks that wait to be run",
    "revoke": "cancel tasks by id, name or header",
    "schedule": "show, add, pause and remove periodic tasks",
    "dead": "look at tasks that were set aside, and try them again",
    "doctor": "look for what is wrong with the store, and repair it",
    "backup": "copy the store to a file while it is in use",
    "move": "move everything from one store to another",
    "check-celery": "tell what of a project that was written for Celery works with liteq",
}


class Command(Protocol):
    """A module of this folder that is a command."""

    def configure(self, parser: ArgumentParser) -> None:
        """Add the command's own options."""

    def run(self, args: Namespace) -> int:
        """Run the command; return the exit code."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code (docs/reference/cli.md has the table)."""
    arguments = sys.argv[1:] if argv is None else argv
    # Characters that the terminal's encoding lacks are shown as escapes.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    args = _parse(arguments)
    try:
        if args.as_celery:  # before the application is imported
            import_module("..as_celery", __package__)
        code = _module(args.command).run(args)
        sys.stdout.flush()  # here, where the error of a closed pipe is caught below
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has closed its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as exc:  # noqa: BLE001 - any error ends in one line and an exit code
        known = exit_code(exc)
        if known is None or args.verbose:
            traceback.print_exc()
        elif isinstance(exc, PoolBroken):
            print(exc.traceback, file=sys.stderr)  # of the user's own code, from a child process
        complain(exc)
        return 1 if known is None else known


def make_parser(argv: list[str]) -> tuple[ArgumentParser, dict[str, ArgumentParser]]:
    """Return the parser of all commands, and theirs. Those in `argv` have their own options."""
    parser = ArgumentParser("liteq", description="The task queue you embed.")
    parser.add_argument("--version", action="version", version=f"liteq {__version__}")
    _common(parser)
    nothing = dict.fromkeys(("app", "broker", "config", "result_backend", "workdir"))
    parser.set_defaults(**nothing, quiet=False, verbose=False, as_celery=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        # `-A` is accepted before and after the command, as by Celery.
        sub = commands.add_parser(
            name,
            help=text,
            description=text.capitalize() + ".",
            formatter_class=OptionalInBrackets,
        )
        _common(sub)
        if name in argv:  # listing the others needs no import of them
            _module(name).configure(sub)
            add_celery_flags(sub, name)
    return parser, dict(commands.choices)


def _common(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("-A", "--app", default=SUPPRESS, help="module, package or module:name of the application")
    add("-b", "--broker", default=SUPPRESS, metavar="URL", help="the store, instead of the app's")
    add("--result-backend", default=SUPPRESS, metavar="URL", help="results are kept with the tasks")
    add("--config", default=SUPPRESS, metavar="MODULE", help="more settings of the application")
    add("--workdir", default=SUPPRESS, metavar="DIR", help="where modules are looked for first")
    add("-q", "--quiet", action="store_true", default=SUPPRESS, help="print no banner")
    add("--as-celery", action="store_true", default=SUPPRESS, help="serve `import celery` by liteq")
    add("--verbose", action="store_true", default=SUPPRESS, help="show tracebacks of errors")
    add_celery_flags(parser, "")


def _parse(arguments: list[str]) -> Namespace:
    """Return the options of a command; exit with USAGE and the command's usage if one is wrong."""
    command = _command_in(arguments)
    if command == "help":
        rest = [each for each in arguments if each != "help"]
        return _parse([*rest, "--help"])
    if command in ALIASES:
        at = arguments.index(command)
        return _parse([*arguments[:at], *ALIASES[command], *arguments[at + 1 :]])
    parser, commands = make_parser(arguments)
    if command is not None and command not in commands:
        cure = ELSEWHERE.get(command)
        known = [*commands, *ALIASES, "help"]
        cure = f": {cure}" if cure else did_you_mean(command, known, "; see `liteq --help`")
        sys.exit(misused(f"there is no command {command!r}{cure}"))
    if command is not None:
        at = arguments.index(command)
        both = " ".join(arguments[at : at + 2])
        if both in ELSEWHERE:
            sys.exit(misused(f"there is no command {both!r}: {ELSEWHERE[both]}"))
    args, unknown = parser.parse_known_args(arguments)
    if "words" in args:  # argparse ends a list of arguments at the first option after it
        args.words += [each for each in unknown if not each.startswith("-")]
        unknown = [each for each in unknown if each.startswith("-")]
    if unknown:
        own = commands[args.command]
        own.error(_unknown(unknown[0], own))
    return args


def _command_in(arguments: list[str]) -> str | None:
    """Return the first argument that is no option of all commands, nor the value of one."""
    parser = ArgumentParser(add_help=False, exit_on_error=False)
    _common(parser)
    parser.add_argument("command", nargs="?")
    parser.add_argument("rest", nargs=REMAINDER)
    try:
        command: str | None = parser.parse_known_args(arguments)[0].command
    except ArgumentError:
        return None  # the parser of all commands says what is wrong
    return command


def _unknown(argument: str, parser: ArgumentParser) -> str:
    """Return what is wrong with an argument that `parser` does not know."""
    if not argument.startswith("-"):
        return f"one argument too many: {argument!r}"
    name = argument.partition("=")[0]
    known = [option for each in parser._actions for option in each.option_strings]
    return f"there is no option {name}{did_you_mean(name, known)}"


def _module(name: str) -> Command:
    module: Command = import_module(f".{name.replace('-', '_')}", __package__)
    return module
