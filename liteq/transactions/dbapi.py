"""Statements on a connection of Python's DBAPI, whichever way it marks parameters."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..exceptions import TransactionError
from .callers import is_sqlite

_MARKS = {"qmark": "?", "format": "%s", "pyformat": "%s", "numeric": ":{n}", "named": ":p{n}"}
_STYLES = ", ".join(_MARKS)


def paramstyle_of(connection: Any) -> str:
    """Return how the driver of `connection` marks parameters. Raises TransactionError."""
    for base in type(connection).__mro__:
        module = sys.modules.get(base.__module__.partition(".")[0])
        style = getattr(module, "paramstyle", None)
        if style in _MARKS:
            return str(style)
    raise TransactionError(
        f"the driver of {type(connection).__module__}.{type(connection).__name__} does not say how "
        f"it marks parameters: its module should have a `paramstyle`, one of {_STYLES}"
    )


def marked(sql: str, style: str, values: tuple[Any, ...]) -> tuple[str, Any]:
    """Return `sql`, whose parameters are question marks, and its values, in `style`."""
    first, *rest = sql.split("?")
    marks = [_MARKS[style].format(n=n + 1) for n in range(len(rest))]
    text = first + "".join(mark + part for mark, part in zip(marks, rest, strict=True))
    if style == "named":
        return text, {f"p{n + 1}": value for n, value in enumerate(values)}
    return text, values


def execute(
    connection: Any, sql: str, *values: Any, most: int | None = None
) -> list[tuple[Any, ...]]:
    """Run one statement on `connection`; return its rows, at most so many, none if it has none."""
    with _as_ours(connection):
        return _execute(connection, sql, values, most)


def _execute(
    connection: Any, sql: str, values: tuple[Any, ...], most: int | None
) -> list[tuple[Any, ...]]:
    cursor = connection.cursor()
    try:
        cursor.execute(*marked(sql, paramstyle_of(connection), values))
        if not cursor.description:
            return []
        return [tuple(row) for row in (cursor.fetchmany(most) if most else cursor.fetchall())]
    finally:
        cursor.close()


@contextmanager
def _as_ours(connection: Any) -> Iterator[None]:
    """Read rows and texts as they are, whatever the application makes of its own."""
    if not is_sqlite(connection):
        yield
        return
    theirs = connection.row_factory, connection.text_factory
    connection.row_factory, connection.text_factory = None, _text_or_bytes
    try:
        yield
    finally:
        connection.row_factory, connection.text_factory = theirs


def _text_or_bytes(stored: bytes) -> str | bytes:
    """Return text, or what only another program can have written as such, as bytes.

    Else one such row would be an error for all that are read with it.
    """
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


def sqlite_file(connection: Any) -> str:
    """Return the file that a connection of sqlite3 is to; empty for one in memory."""
    # Not a query, which would open a transaction for reading.
    rows = execute(connection, "pragma database_list")
    return next(str(file) for _, name, file in rows if name == "main")
