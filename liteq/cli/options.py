"""Options that several commands have, and types of option values."""

import json
import math
import os
import sys
from argparse import Action, ArgumentParser, ArgumentTypeError, HelpFormatter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any, Never

from ..support.nearest import did_you_mean

_COLUMNS = 80  # of output that is no terminal
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_json(parser: ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("-j", "--json", action="store_true", help="print one JSON document")


def add_limit(parser: ArgumentParser, default: int, what: str) -> None:
    """Add `--limit`: how much is shown."""
    parser.add_argument(
        "--limit", type=count, default=default, metavar="N", help=f"{what} (default: {default})"
    )


def add_action(parser: ArgumentParser, actions: Iterable[str], thing: str) -> None:
    """Add the words of a command: an action, list unless given, and what it is about."""
    what = f"{', '.join(actions)}; list unless given"
    parser.add_argument("words", nargs="*", default=[], metavar=f"WHAT {thing}", help=what)


def one_of(known: Collection[str]) -> Callable[[str], str]:
    """Return a type of values: one of the words `known`."""

    def parse(text: str) -> str:
        if text not in known:
            words = ", ".join(known)
            raise ArgumentTypeError(
                f"{text!r}{did_you_mean(text, known, f': give one of {words}')}"
            )
        return text

    return parse


def add_optional_list(parser: ArgumentParser, dest: str, metavar: str, what: str) -> None:
    """Add a list of positional arguments that may be left out."""
    # Not nargs="*", which an option between the first argument and the list would use up.
    parser.add_argument(dest, nargs="+", default=[], metavar=metavar, help=what).required = False


class Help(HelpFormatter):
    """A formatter that knows the width of the terminal without `shutil`, which takes 4 ms.

    A parser makes a formatter for each option that is added.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    """Return what `shutil.get_terminal_size` does."""
    with suppress(KeyError, ValueError):
        if (columns := int(os.environ["COLUMNS"])) > 0:
            return columns
    if sys.__stdout__ is not None:
        with suppress(OSError, ValueError):  # no terminal; closed
            return os.get_terminal_size(sys.__stdout__.fileno()).columns or _COLUMNS
    return _COLUMNS


class OptionalInBrackets(Help):
    """A formatter whose usage texts have `add_optional_list` in brackets."""

    def _format_args(self, action: Action, default_metavar: str) -> str:
        text = super()._format_args(action, default_metavar)
        optional = action.nargs == "+" and not action.option_strings and not action.required
        return f"[{text.partition(' ')[0]} ...]" if optional else text


def count(text: str) -> int:
    """Parse a number of things: 1 or more."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


def seconds(text: str) -> float:
    """Parse a time span in seconds: 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds from 0 on")
    return number


def span(text: str) -> float:
    """Parse a time span with its unit: 90s, 30m, 2h or 7d. Return seconds."""
    try:
        return float(text[:-1]) * _UNITS[text[-1:]]
    except (KeyError, ValueError):
        raise ArgumentTypeError(f"{text!r} is no time span: give 90s, 30m, 2h or 7d") from None


def names(text: str) -> list[str]:
    """Parse names separated by commas, each once."""
    found = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise ArgumentTypeError("it names nothing; write a,b")
    return found


def header(text: str) -> dict[str, Any]:
    """Parse the name and the value of a header."""
    name, found, value = text.partition("=")
    if not (name and found):
        raise ArgumentTypeError(f"{text!r}: give NAME=VALUE")
    return {name: value}


def json_list(text: str) -> Any:
    """Parse a JSON list."""
    return _json(text, list, "a JSON list such as '[2, 3]'")


def json_object(text: str) -> Any:
    """Parse a JSON object."""
    return _json(text, dict, "a JSON object such as '{\"x\": 2}'")


def json_value(text: str) -> Any:
    """Parse a JSON value of any kind."""
    return _json(text, object, "a JSON value such as '\"text\"' or '{\"x\": 2}'")


def _json(text: str, kind: type[Any], expected: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise ArgumentTypeError(f"{text!r} is not {expected}: {exc}") from exc
    if not isinstance(value, kind):
        raise ArgumentTypeError(f"{text!r} is not {expected}")
    return value


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
