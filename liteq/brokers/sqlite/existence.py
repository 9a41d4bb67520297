"""The check that there is a store, for those who only look: they neither make nor upgrade one."""

import os
import sqlite3
from contextlib import closing

from ...exceptions import BrokerTooOld
from . import forks
from .errors import translate
from .location import SqliteLocation, no_store, prepare
from .schema import VERSION, version_of


def check_exists(location: SqliteLocation) -> None:
    """Raise BrokerUnavailable if there is no store at `location`, BrokerTooOld for an old one.

    The file may be there without one. Raises what opening the file raises.
    """
    path = location.path
    if not os.path.lexists(path):
        raise no_store(path)
    prepare(path)
    try:
        with forks.opening:
            db = sqlite3.connect(path, isolation_level=None)
        with closing(db):
            version = version_of(db, location)
    except sqlite3.Error as exc:
        raise translate(exc, path) from exc
    if version == 0:
        raise no_store(path)
    if version < VERSION:
        raise BrokerTooOld(
            f"{path} has schema {version}, of an earlier liteq, and this one has {VERSION}. What "
            f"only looks does not upgrade it, since programs of the earlier one are refused from "
            f"then on: stop them, and start a worker of this one, or run `liteq doctor --repair`"
        )
