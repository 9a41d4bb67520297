"""Options that several commands have, and the types of their values."""

import math
from argparse import ArgumentParser, ArgumentTypeError


def add_json(parser: ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("-j", "--json", action="store_true", help="print one JSON document")


def add_limit(parser: ArgumentParser, default: int, what: str) -> None:
    """`--limit`: how much is shown."""
    parser.add_argument(
        "--limit", type=count, default=default, metavar="N", help=f"{what} (default: {default})"
    )


def count(text: str) -> int:
    """A number of things: 1 or more."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


def seconds(text: str) -> float:
    """A time span in seconds: 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds from 0 on")
    return number


def names(text: str) -> list[str]:
    """Names with commas between them, each once."""
    found = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise ArgumentTypeError("it names nothing; write a,b")
    return found
