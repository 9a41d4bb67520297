"""The output of commands: lines without control characters, or one JSON document."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any

from ..support.printable import one_line
from ..support.zones import iso_time, title_of, wall_time


def escape(text: object) -> str:
    """Return `text` on one line, in printable characters: names and errors come from senders."""
    return one_line(str(text))


def say(*lines: object) -> None:
    """Print each line, escaped."""
    for line in lines:
        print(escape(line))
    sys.stdout.flush()  # the reader of a pipe gets these lines now


def complain(text: object) -> None:
    """Print one line on standard error, escaped."""
    print(f"liteq: {escape(text)}", file=sys.stderr)


def say_json(document: Any) -> None:
    """Print `document` as JSON in ASCII; what JSON lacks is written as text."""
    print(json.dumps(document, indent=2, default=str))


def show(document: dict[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    """Print `document` as JSON, or else `lines`, which say the same for people."""
    if as_json:
        say_json(document)
        return
    say(*lines)
    if document["more"]:
        complain("there is more: see --limit")


def table(rows: Sequence[Sequence[object]]) -> Iterable[str]:
    """Yield `rows`, the first of which is the head, in columns; None is an empty cell."""
    cells = [["" if cell is None else escape(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def moment(seconds: float | None) -> str | None:
    """Return a time of the store (epoch seconds) in ISO 8601, in UTC: for JSON."""
    return None if seconds is None else iso_time(seconds)


def local(seconds: float | None, zone: tzinfo, *, named: bool = False) -> str | None:
    """Return a time of the store (epoch seconds) for people: by the clocks of `zone`, that of the
    application. `named`: with the name of the zone, which is to be there once.
    """
    if seconds is None:
        return None
    return wall_time(seconds, zone) + (f" {title_of(zone)}" if named else "")


def clip(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, and how many are missing."""
    more = len(text) - limit
    return f"{text[:limit]}... ({more} more characters)" if more > 0 else text
