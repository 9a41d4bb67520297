"""The parser of the command line: its options, and what is said of a line that is wrong."""

import sys
from argparse import REMAINDER, SUPPRESS, ArgumentError, ArgumentParser, Namespace

from ..support.nearest import did_you_mean
from ..version import __version__
from .celery_flags import ALIASES, ELSEWHERE, add_celery_flags
from .commands import COMMANDS, module_of
from .exits import misused
from .options import Help, OptionalInBrackets


def make_parser(argv: list[str]) -> tuple[ArgumentParser, dict[str, ArgumentParser]]:
    """Return the parser of all commands, and theirs by name.

    If one of them is in `argv`, it has its options, and others are left out: they take 2 ms.
    """
    parser = ArgumentParser("liteq", description="The task queue you embed.", formatter_class=Help)
    parser.add_argument("--version", action="version", version=f"liteq {__version__}")
    _common(parser)
    nothing = dict.fromkeys(("app", "broker", "config", "result_backend", "workdir"))
    parser.set_defaults(**nothing, quiet=False, verbose=False, as_celery=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    named = [name for name in COMMANDS if name in argv]
    for name in named or COMMANDS:
        sub = commands.add_parser(
            name,
            help=COMMANDS[name],
            description=COMMANDS[name].capitalize() + ".",
            formatter_class=OptionalInBrackets,
        )
        if name in named:  # to list all of them needs no options, nor an import of them
            _common(sub)  # `-A` is accepted before and after the command, as by Celery
            module_of(name).configure(sub)
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


def parse(arguments: list[str]) -> Namespace:
    """Return the options of a command; exit with USAGE and the command's usage if one is wrong."""
    command = _command_in(arguments)
    if command == "help":
        rest = [each for each in arguments if each != "help"]
        return parse([*rest, "--help"])
    if command in ALIASES:
        at = arguments.index(command)
        return parse([*arguments[:at], *ALIASES[command], *arguments[at + 1 :]])
    if command is not None and command not in COMMANDS:
        cure = ELSEWHERE.get(command)
        known = [*COMMANDS, *ALIASES, "help"]
        cure = f": {cure}" if cure else did_you_mean(command, known, "; see `liteq --help`")
        sys.exit(misused(f"there is no command {command!r}{cure}"))
    parser, commands = make_parser([] if command is None else arguments)
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
    parser = ArgumentParser(add_help=False, exit_on_error=False, formatter_class=Help)
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
