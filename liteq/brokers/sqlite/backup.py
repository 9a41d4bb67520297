"""Backups: a copy of a store while it is in use."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress

from ...exceptions import BrokerCorrupt, BrokerUnavailable, ConfigurationError
from . import forks
from .errors import translate

Copy = Callable[[sqlite3.Connection], object]
"""Copies a store into an empty database, as of one moment."""

_PAGES = 1024  # at a time, because a Ctrl-C is noticed only between two steps


def write_backup(copy: Copy, path: str) -> None:
    """Write a copy of a store to the new file `path` (mode 0600).

    The file gets its name only once it is complete and was checked. Raises ConfigurationError when
    `path` exists, BrokerUnavailable when it cannot be written, BrokerCorrupt when the copy is
    damaged.
    """
    if os.path.lexists(path):
        raise ConfigurationError(f"{path} is there already: choose another name for the backup")
    part = f"{path}.part"
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        os.close(os.open(part, flags, 0o600))
    except FileExistsError:
        raise ConfigurationError(
            f"{part} is left from a backup that did not end, or one is being made: remove it"
        ) from None
    except OSError as exc:
        raise BrokerUnavailable(f"cannot write {path}: {exc.strerror}") from exc
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as target:
            try:
                copy(target)
                _check(target, part)
            except sqlite3.Error as exc:
                raise translate(exc, part) from exc
        _rename(part, path)
    except BaseException:
        for each in (part, f"{part}-journal", f"{part}-wal", f"{part}-shm"):
            with suppress(OSError):
                os.unlink(each)
        raise


def copy_file(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy the file of `source`, which is in no transaction, as it is at this moment."""
    # In a transaction, or the copy would start again at every commit of another process.
    source.execute("begin")
    try:
        source.execute("select 1 from sqlite_master").fetchall()
        # With `progress` Python checks for a Ctrl-C between two steps.
        source.backup(target, pages=_PAGES, sleep=0, progress=lambda *steps: None)
    finally:
        with suppress(sqlite3.Error):  # the first error is the one to raise
            source.execute("rollback")


def copy_as_it_is(path: str, target: sqlite3.Connection) -> None:
    """Copy the file at `path` without a session, which would upgrade an old one."""
    with forks.opening:
        source = sqlite3.connect(path, isolation_level=None)
    with closing(source):
        copy_file(source, target)


def _check(target: sqlite3.Connection, path: str) -> None:
    ((fault,), *_) = target.execute("pragma quick_check(1)").fetchall()
    if fault != "ok":
        raise BrokerCorrupt(f"the copy {path} is damaged ({fault}): see `liteq doctor`")


def _rename(part: str, path: str) -> None:
    try:
        os.link(part, path)  # fails where `rename` would replace a file created meanwhile
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already: choose another name") from None
    except OSError:  # a file system without hard links
        os.rename(part, path)
    else:
        os.unlink(part)
