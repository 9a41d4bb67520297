"""What tasks print and log, in a table of its own: a row is what came at once."""

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from ...model.message import Receipt
from ...model.output import MOST_ATTEMPTS, Output
from .rows import Row
from .statements import load

_SQL = load("output.sql")

OUTPUT = _SQL["output"]
"""A query for `outputs_of`."""


def write_output(db: Connection, receipt: Receipt, output: Output) -> bool:
    """Store lines of a task, and delete what is not to be kept any longer.

    Return False, and write nothing, if the claim was lost.
    """
    key, attempt = receipt.key, output.attempt
    if not db.execute(_SQL["mark_details"], receipt).rowcount:  # there may be some already
        if not db.execute(_SQL["holds"], receipt).fetchall():
            return False
        if output.begins:
            db.execute(_SQL["begin"], (key, attempt, attempt - MOST_ATTEMPTS))
        elif output.keep_from > 1:
            db.execute(_SQL["trim"], (key, attempt, output.keep_from))
    _add(db, key, output)
    return True


def insert_outputs(db: Connection, id: str, outputs: Sequence[Output]) -> None:
    """Store the output of the new task `id`."""
    ((key,),) = db.execute(_SQL["seq"], (id,)).fetchall()
    db.execute("update liteq_task set details = 1 where seq = ?", (key,))
    for output in outputs:
        _add(db, key, output)


def outputs_of(rows: Iterable[Row]) -> list[Output]:
    """Return outputs, of rows of `OUTPUT`; they may be unreadable."""
    return [Output(*row) for row in rows]


def _add(db: Connection, key: int | str, output: Output) -> None:
    db.execute(_SQL["add"], (key, *output[:4]))
