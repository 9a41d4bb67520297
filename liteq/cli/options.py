"""Options that several commands have, and types of option values."""

import json
import math
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any, Never


def add_json(parser: ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("-j", "--json", action="store_true", help="print one JSON document")


def add_limit(parser: ArgumentParser, default: int, what: str) -> None:
    """Add `--limit`: how much is shown."""
    parser.add_argument(
        "--limit", type=count, default=default, metavar="N", help=f"{what} (default: {default})"
    )


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


def names(text: str) -> list[str]:
    """Parse names separated by commas, each once."""
    found = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise ArgumentTypeError("it names nothing; write a,b")
    return found


def json_list(text: str) -> Any:
    """Parse a JSON list."""
    return _json(text, list, "a JSON list such as '[2, 3]'")


def json_object(text: str) -> Any:
    """Parse a JSON object."""
    return _json(text, dict, "a JSON object such as '{\"x\": 2}'")


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
