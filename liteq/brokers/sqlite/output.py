"""What tasks print and log, in a table of its own: a row is a line."""

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from ...exceptions import InvalidTaskError
from ...model.checks import UNREADABLE, check_output_line
from ...model.message import Receipt
from ...model.output import MOST_ATTEMPTS, Output, OutputLine
from .rows import Row
from .statements import load

_SQL = load("output.sql")

OUTPUT = _SQL["output"]
"""A query for `output_of`."""


def write_output(db: Connection, receipt: Receipt, output: Output) -> bool:
    """Store lines of a task, and delete those that are not to be kept any longer.

    Return False, and write nothing, if the claim was lost.
    """
    key, attempt = receipt.key, output.attempt
    found = db.execute(_SQL["holder"], receipt).fetchall()
    if not found:
        return False
    if not found[0][0]:
        db.execute(_SQL["mark_details"], (key,))
    if output.begins:
        db.execute(_SQL["begin"], (key, attempt, attempt - MOST_ATTEMPTS))
    db.executemany(_SQL["add"], [(key, attempt, *line) for line in output.lines])
    if output.keep_from > 1:
        db.execute(_SQL["trim"], (key, attempt, output.keep_from))
    return True


def insert_output(db: Connection, id: str, lines: Sequence[OutputLine]) -> None:
    """Store the lines of the new task `id`."""
    ((key,),) = db.execute(_SQL["seq"], (id,)).fetchall()
    db.execute(_SQL["mark_details"], (key,))
    db.executemany(_SQL["add"], [(key, *line) for line in lines])


def output_of(id: str, rows: Iterable[Row]) -> list[OutputLine]:
    """Return lines of the task `id`, of rows of `OUTPUT`. Raises InvalidTaskError."""
    lines = list(map(OutputLine._make, rows))
    try:
        for line in lines:
            check_output_line(line)
    except UNREADABLE as exc:
        raise InvalidTaskError(f"the output of the task {id} cannot be read: {exc}") from exc
    return lines
