"""What a task prints and logs, as it is kept with the task."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

MOST_LINES = 1000
"""Lines that are kept of a run: the last ones."""

MOST_BYTES = 256 * 1024
"""Bytes of text (UTF-8) that are kept of a run, at most."""

MOST_ATTEMPTS = 10
"""Attempts of a task whose output is kept: the last ones."""

LONGEST_LINE = 8192
"""Characters of a line; what is longer is cut into several."""

LONGEST_LEVEL = 32
"""Characters of the name of a level."""

LONGEST = 6 * MOST_BYTES + (LONGEST_LEVEL + 64) * MOST_LINES
"""Characters of the lines of an `Output`: where each one is escaped, it takes six."""

PlainLine = tuple[int, float, str | None, str]
"""A line as a plain tuple: its number, when, its level, its text; as in an `OutputLine`."""


class OutputLine(NamedTuple):
    """A line that a task has printed or logged."""

    attempt: int  # from 1, as in an `Attempt`
    number: int  # in the attempt, from 1; those before the first that is kept are gone
    at: float  # epoch seconds
    level: str | None  # the name of a level of `logging`; None: it was printed
    text: str


class Output(NamedTuple):
    """Lines that a run has printed and logged, in one piece.

    Only who prints them and who reads them looks at the lines: on their way they are text.
    """

    attempt: int
    last: int  # the number of the last line in it
    keep_from: int  # the number of the first line of this run that is kept from now on
    lines: str  # JSON: of each line its number, when, its level, its text
    # The first one of its run: what a start that was interrupted has left under the same number is
    # deleted.
    begins: bool = False

    def keeps(self, earlier: "Output") -> bool:
        """Return whether `earlier`, of the same task, is still kept when this one comes."""
        if earlier.attempt != self.attempt:
            return self.attempt - MOST_ATTEMPTS < earlier.attempt < self.attempt
        return earlier.last >= self.keep_from and not self.begins


def encode_lines(lines: Sequence[PlainLine]) -> str:
    """Return lines as the text that an `Output` has."""
    return _encode()(lines)


@cache
def _encode() -> Callable[[object], str]:
    import json  # takes 2 ms, and who only sends tasks has no output

    return json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def decode_lines(outputs: Iterable[Output]) -> list[OutputLine]:
    """Return the lines of a task that are kept, of its outputs in their order.

    Raises one of UNREADABLE, or returns what is none of ours, for text that is none of ours.
    """
    import json

    found: list[OutputLine] = []
    for output in outputs:
        found = [
            line
            for line in found
            if line.attempt != output.attempt or line.number >= output.keep_from
        ]
        found += (OutputLine(output.attempt, *line) for line in json.loads(output.lines))
    return found
