"""What a task prints and logs, as it is kept with the task."""

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
    """What a run has printed and logged since its last `Output`, on its way into the store."""

    attempt: int
    lines: tuple[PlainLine, ...]  # at least one, in the order of their numbers
    keep_from: int  # the number of the first line of this run that is kept
    # The first one of its run: what a start that was interrupted has left under the same number is
    # deleted.
    begins: bool = True

    @property
    def last(self) -> int:
        """Return the number of its last line."""
        return self.lines[-1][0]

    def followed_by(self, later: "Output") -> "Output":
        """Return this and `later`, of the same run, as one."""
        kept = [line for line in self.lines if line[0] >= later.keep_from]
        return later._replace(lines=(*kept, *later.lines), begins=self.begins)
