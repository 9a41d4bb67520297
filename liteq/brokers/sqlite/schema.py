"""The schema: creates the tables of a new file, and upgrades those of an older one."""

from contextlib import suppress
from sqlite3 import Connection, Error

from ...exceptions import BrokerCorrupt, BrokerTooNew, BrokerUnavailable
from .statements import read, split

APPLICATION_ID = 0x4C495451  # "LITQ" in the file's header
VERSION = 3

# In one statement, so as of one moment: another process may be creating the tables meanwhile.
_MARKS = """
    select application_id, user_version, (select count(*) from sqlite_master),
      exists (select 1 from sqlite_master where name = 'liteq_meta')
    from pragma_application_id, pragma_user_version
"""
_STORED_VERSION = "select cast(value as integer) from liteq_meta where name = 'schema'"
_STORE_VERSION = "insert or replace into liteq_meta (name, value) values ('schema', ?)"


def is_current(connection: Connection, path: str) -> bool:
    """Return whether the file at `path` is up to date. Raises what `ensure_schema` does."""
    if _version(connection, path) != VERSION:
        return False
    return bool(connection.execute("pragma journal_mode").fetchone() == ("wal",))


def ensure_schema(connection: Connection, path: str) -> None:
    """Bring the file at `path` to the schema of this version.

    Raises BrokerCorrupt for the file of another program, BrokerTooNew for one of a newer liteq,
    BrokerUnavailable when it cannot be kept in WAL mode.
    """
    if _version(connection, path) == 0:
        # A commit writes whole pages, and a small one touches few bytes of each: 2048 makes a
        # single enqueue a quarter faster than 4096, and bulk no slower.
        connection.execute("pragma page_size = 2048")
    (mode,) = connection.execute("pragma journal_mode = wal").fetchone()
    if mode != "wal":
        raise BrokerUnavailable(
            f"{path} cannot be kept in WAL mode (got {mode!r}): put it on a local disk"
        )
    connection.execute("begin exclusive")
    try:
        # Read again under the lock: another process may have been faster.
        for statement in _steps(_version(connection, path)):
            connection.execute(statement)
        connection.execute(_STORE_VERSION, (VERSION,))
        # The versions before `liteq_meta` look only here, and refuse what is newer.
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute(f"pragma user_version = {VERSION}")
        connection.execute("commit")
    except BaseException:
        with suppress(Error):
            connection.execute("rollback")
        raise


def _steps(version: int) -> list[str]:
    """Return the statements that lead from schema `version` to ours."""
    if version == 0:
        return split(read("schema.sql"))
    upgrades = [read(f"upgrade_{step}.sql") for step in range(version + 1, VERSION + 1)]
    return [statement for text in upgrades for statement in split(text)]


def _version(connection: Connection, path: str) -> int:
    """Return the version of the schema; 0 where there are no tables yet."""
    ((application, version, tables, has_meta),) = connection.execute(_MARKS).fetchall()
    if tables and application != APPLICATION_ID:
        raise BrokerCorrupt(
            f"{path} is another program's database: choose another file with broker="
        )
    if has_meta:
        version = _stored_version(connection, path)
    if version > VERSION:
        raise BrokerTooNew(
            f"{path} has schema {version}, this liteq knows {VERSION}: upgrade liteq-tasks, and "
            f"start this program again"
        )
    return int(version)


def _stored_version(connection: Connection, path: str) -> int:
    for (version,) in connection.execute(_STORED_VERSION).fetchall():
        if isinstance(version, int) and version > 0:
            return version
    raise BrokerCorrupt(
        f"the table liteq_meta in {path} does not say which schema the store has: see "
        f"`liteq doctor`, or restore a backup"
    )
