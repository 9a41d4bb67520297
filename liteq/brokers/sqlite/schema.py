"""The schema: creates the tables of a new file, and upgrades those of an older one."""

from contextlib import suppress
from sqlite3 import Connection, Error

from ...exceptions import BrokerCorrupt, BrokerTooNew, BrokerUnavailable, ConfigurationError
from .location import SqliteLocation
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


def is_current(connection: Connection, location: SqliteLocation) -> bool:
    """Return whether the file of `location` is up to date. Raises what `ensure_schema` does."""
    return version_of(connection, location) == VERSION and _mode(connection) == "wal"


def check_acceptable(connection: Connection, location: SqliteLocation) -> None:
    """Raise what `ensure_schema` raises for a file that it does not take; change nothing."""
    version_of(connection, location)
    if location.shared and not _is_empty(connection):
        _check_wal(connection, location.path)


def ensure_schema(connection: Connection, location: SqliteLocation) -> None:
    """Bring the file of `location` to the schema of this version.

    Raises BrokerCorrupt for the file of another program that is not to be shared, BrokerTooNew for
    one of a newer liteq, BrokerUnavailable when it cannot be kept in WAL mode, ConfigurationError
    when it is shared and not in WAL mode.
    """
    version = version_of(connection, location)
    if not location.shared:
        if version == 0:
            # A commit writes whole pages, and a small one touches few bytes of each: 2048 makes a
            # single enqueue a quarter faster than 4096, and bulk no slower.
            connection.execute("pragma page_size = 2048")
        _switch_to_wal(connection, location.path)
    elif _is_empty(connection):
        _switch_to_wal(connection, location.path)
    else:
        _check_wal(connection, location.path)
    connection.execute("begin exclusive")
    try:
        # Read again under the lock: another process may have been faster.
        for statement in _steps(version_of(connection, location)):
            connection.execute(statement)
        connection.execute(_STORE_VERSION, (VERSION,))
        if not location.shared or _is_own(connection):
            # The versions before `liteq_meta` look only here, and refuse what is newer.
            connection.execute(f"pragma application_id = {APPLICATION_ID}")
            connection.execute(f"pragma user_version = {VERSION}")
        connection.execute("commit")
    except BaseException:
        with suppress(Error):
            connection.execute("rollback")
        raise


def _switch_to_wal(connection: Connection, path: str) -> None:
    (mode,) = connection.execute("pragma journal_mode = wal").fetchone()
    if mode != "wal":
        raise BrokerUnavailable(
            f"{path} cannot be kept in WAL mode (got {mode!r}): put it on a local disk"
        )


def _check_wal(connection: Connection, path: str) -> None:
    """Raise ConfigurationError unless the application's file is in WAL mode.

    It is not switched here: whoever reads or copies the file has to know of its log.
    """
    if (mode := _mode(connection)) != "wal":
        raise ConfigurationError(
            f"{path} is in journal mode {mode!r}, and liteq needs WAL, in which readers and a "
            f"writer do not wait for each other: switch it while no program uses it, once and for "
            f"all, by `pragma journal_mode = wal`; or choose a file of its own with broker="
        )


def _steps(version: int) -> list[str]:
    """Return the statements that lead from schema `version` to ours."""
    if version == 0:
        return split(read("schema.sql"))
    upgrades = [read(f"upgrade_{step}.sql") for step in range(version + 1, VERSION + 1)]
    return [statement for text in upgrades for statement in split(text)]


def version_of(connection: Connection, location: SqliteLocation) -> int:
    """Return the version of the schema; 0 where there are no tables yet.

    Raises BrokerCorrupt for the file of another program, BrokerTooNew for that of a newer liteq.
    """
    ((application, version, tables, has_meta),) = connection.execute(_MARKS).fetchall()
    own, path = application == APPLICATION_ID, location.path
    if tables and not own and not location.shared:
        raise BrokerCorrupt(
            f"{path} is another program's database: choose another file with broker=, or put "
            f"?shared=1 behind its URL to keep the store in it, beside what is there"
        )
    if has_meta:
        version = _stored_version(connection, path)
    elif location.shared and not own:
        version = 0  # `user_version` is that of the application
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


def _is_own(connection: Connection) -> bool:
    """Return whether liteq has made the file, for itself."""
    return bool(connection.execute("pragma application_id").fetchone() == (APPLICATION_ID,))


def _is_empty(connection: Connection) -> bool:
    """Return whether nothing was ever written to the file, so that it is nobody's yet."""
    return bool(connection.execute("pragma page_count").fetchone() == (0,))


def _mode(connection: Connection) -> str:
    return str(connection.execute("pragma journal_mode").fetchone()[0])
