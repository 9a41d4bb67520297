"""The translation of SQLite's errors to those of liteq."""

import sqlite3

from ...exceptions import (
    BrokerCorrupt,
    BrokerError,
    BrokerRefused,
    BrokerUnavailable,
    TransactionError,
)

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_CURES = {
    sqlite3.SQLITE_FULL: "the disk is full: make room, liteq retries",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only for this user",
    sqlite3.SQLITE_CANTOPEN: (
        "the file, or its -wal beside it, cannot be opened: see whether the folder is writable, "
        "and the limit on open files"
    ),
    sqlite3.SQLITE_IOERR: "the disk fails, or a limit on the size of files is in the way",
    sqlite3.SQLITE_NOLFS: "a limit on the size of files is in the way",
    sqlite3.SQLITE_PERM: "this user may not use the file",
    sqlite3.SQLITE_BUSY: "another process has kept it locked",
    sqlite3.SQLITE_LOCKED: "another thread has kept it locked",
}

REFUSED = (UnicodeEncodeError, OverflowError)
"""List the errors that Python raises for a value that no column can hold."""


def code_of(exc: sqlite3.Error) -> int:
    """Return SQLite's primary result code, or 0."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF


def is_busy(exc: sqlite3.Error) -> bool:
    """Return whether another connection holds the lock, so that trying again makes sense."""
    return code_of(exc) in _BUSY


def is_io_error(exc: sqlite3.Error) -> bool:
    """Return whether the disk failed, so that what is on it is unknown."""
    return code_of(exc) == sqlite3.SQLITE_IOERR


def is_undecodable(exc: sqlite3.Error) -> bool:
    """Return whether a text was read that is not UTF-8, which `sqlite3` gives no code."""
    return str(exc).startswith("Could not decode to UTF-8")


def is_unknown_name(exc: sqlite3.Error) -> bool:
    """Return whether a statement names a table or column that the file does not have."""
    return str(exc).startswith(("no such table", "no such column")) or "has no column" in str(exc)


def refused(exc: Exception, path: str) -> BrokerRefused:
    """Return the error to raise when SQLite can never store a value."""
    return BrokerRefused(f"{path} cannot hold this value: {exc}")


def occupied(path: str) -> TransactionError:
    """Return the error to raise when code of the same thread has a transaction open elsewhere."""
    return TransactionError(
        f"{path} is in a transaction of this thread, by other code than this (a coroutine, or a "
        f"generator), which could not go on while this waits for it: do not await, and do not "
        f"yield, in a block of app.transaction, commit or once"
    )


def cannot_open(exc: OSError, path: str) -> BrokerUnavailable:
    """Return the error to raise when the operating system refuses a file of the store."""
    return BrokerUnavailable(f"cannot open {path}: {exc.strerror}")


def translate(exc: sqlite3.Error, path: str) -> BrokerError:
    """Return the error to raise instead of `exc`: it says what is wrong, where, and the cure."""
    code = code_of(exc)
    if code == sqlite3.SQLITE_TOOBIG:
        return refused(exc, path)
    if code in _CORRUPT:
        return BrokerCorrupt(
            f"{path} is not a liteq store, or damaged ({exc}); nothing was changed: see "
            f"`liteq doctor`, restore a backup, or choose another file with broker="
        )
    if code in _CURES:
        return BrokerUnavailable(f"{path}: {exc} ({_name(exc)}); {_CURES[code]}")
    return BrokerError(f"{path}: {exc} ({_name(exc)})")


def _name(exc: sqlite3.Error) -> str:
    return getattr(exc, "sqlite_errorname", type(exc).__name__)
