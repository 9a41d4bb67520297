"""Judge a command line of Celery's by the parsers of the commands."""

from argparse import Action, ArgumentTypeError
from collections.abc import Iterator
from functools import cache

from ..as_celery.migration.findings import WORKS, Verdict, differs, missing
from ..as_celery.migration.verdicts import of_pool, of_url
from ..support.nearest import did_you_mean
from .celery_flags import ALIASES, ELSEWHERE, Meaningless
from .commands import COMMANDS
from .parsing import make_parser

Options = dict[str, Action]

_OF_CELERY = {*COMMANDS, *ALIASES, *ELSEWHERE}


def judge(words: list[str]) -> Iterator[tuple[str, Verdict]]:
    """Yield the command, and each option, of a line with these `words` after `celery`.

    Nothing for a line that only mentions Celery.
    """
    if not words or not (words[0].startswith("-") or words[0] in _OF_CELERY):
        return
    options = _options_of("")
    command = ""
    left = list(words)
    while left:
        word = left.pop(0)
        if word.startswith("-") and len(word) > 1:
            yield _of_option(command, word, options, left)
        elif not command:
            command = word
            yield f"celery {command}", _of_command(command)
            if command not in COMMANDS:
                return
            options = _options_of(command)


@cache
def _options_of(command: str) -> Options:
    """Return the options of a command by their names; for no command those that all have."""
    parser, commands = make_parser([command])
    parser = commands.get(command, parser)
    return {name: action for action in parser._actions for name in action.option_strings}


def _of_command(command: str) -> Verdict:
    if command in ELSEWHERE:
        return missing(ELSEWHERE[command])
    if command in COMMANDS or command in ALIASES:
        return WORKS
    return missing(f"there is no command {command!r}{did_you_mean(command, COMMANDS)}")


def _of_option(command: str, word: str, options: Options, left: list[str]) -> tuple[str, Verdict]:
    """Return an option as it is written, and its verdict; take its value from `left`."""
    name, given, value = word.partition("=")
    if name not in options and not name.startswith("--"):  # -linfo
        name, given, value = word[:2], word[2:], word[2:]
    action = options.get(name)
    shown = " ".join(filter(None, ("celery", command, name)))
    if action is None:
        return shown, missing(f"there is no option {name}{did_you_mean(name, options)}")
    if not given and action.nargs != 0 and left:
        value = left.pop(0)
    if isinstance(action, Meaningless):
        flag = action.const
        return shown, missing(flag.why) if flag.refused else differs(flag.why)
    return shown, _of_value(action, value)


def _of_value(action: Action, value: str) -> Verdict:
    """Return the verdict on the value of an option of ours; one that is computed is not known."""
    if "$" in value:
        return WORKS
    if action.dest == "pool":
        return of_pool(value)
    if action.dest == "broker":
        return of_url(value)
    try:
        if callable(action.type) and action.nargs != 0:
            action.type(value)
    except ArgumentTypeError as error:
        return missing(str(error))
    return WORKS
