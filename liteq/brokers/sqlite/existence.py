"""The check that there is a store, for those who only look: to look must not make one."""

import os
import sqlite3
from contextlib import closing

from . import forks
from .errors import translate
from .location import SqliteLocation, no_store
from .schema import has_tables


def check_exists(location: SqliteLocation) -> None:
    """Raise BrokerUnavailable if there is no store at `location`.

    The file of an application may be there without one. Raises what opening the file raises.
    """
    if not os.path.lexists(location.path):
        raise no_store(location.path)
    if not location.shared:
        return
    try:
        with forks.opening:
            db = sqlite3.connect(location.path, isolation_level=None)
        with closing(db):
            found = has_tables(db)
    except sqlite3.Error as exc:
        raise translate(exc, location.path) from exc
    if not found:
        raise no_store(location.path)
