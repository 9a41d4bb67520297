"""Translation of redis-py's errors to those of liteq."""

from redis import exceptions as redis_errors

from ...exceptions import (
    BrokerError,
    BrokerFull,
    BrokerRefused,
    BrokerUnavailable,
    BrokerUnreachable,
)

REFUSED = (UnicodeEncodeError, redis_errors.DataError)
"""List the errors that redis-py raises for a value that no command can hold."""

# By the error code, the first word of the server's reply.
_CURES = {
    "OOM": "the server is full: raise its maxmemory, or let workers finish what waits; "
    "liteq retries",
    "READONLY": "this server is a replica: give the URL of the master, or use redis+sentinel://",
    "LOADING": "the server is reading its data from disk; liteq retries",
    "MISCONF": "the server cannot save to its disk, so it refuses writes: see its log",
    "NOREPLICAS": "the server has fewer replicas than min-replicas-to-write asks for",
    "BUSY": "another program's script keeps the server busy",
    "MASTERDOWN": "this server is a replica that has lost its master",
    "CLUSTERDOWN": "the cluster is not complete",
    "TRYAGAIN": "the cluster is moving keys; liteq retries",
    "NOAUTH": "the server needs a password: redis://:password@host",
    "WRONGPASS": "user or password is wrong",
    "NOPERM": "this user may not do that: allow it the keys `{liteq*` and scripts, see its ACL",
}

_CLASSES = {
    "OOM": BrokerFull,
    "LOADING": BrokerUnreachable,
    "MASTERDOWN": BrokerUnreachable,
    "CLUSTERDOWN": BrokerUnreachable,
}

# redis-py removes the code of some errors and raises a class of their own instead.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (redis_errors.OutOfMemoryError, "OOM"),
    (redis_errors.ReadOnlyError, "READONLY"),
    (redis_errors.BusyLoadingError, "LOADING"),
    (redis_errors.AuthenticationWrongNumberOfArgsError, "WRONGPASS"),
    (redis_errors.AuthenticationError, "WRONGPASS"),
    (redis_errors.NoPermissionError, "NOPERM"),
)


def code_of(exc: Exception) -> str:
    """Return the code of the server's error; "" for an unknown one."""
    text = str(exc)
    for code in _CURES:
        if text.startswith(code) or f" {code} " in text[:200]:
            return code
    return next((code for error, code in _CODES if isinstance(exc, error)), "")


def translate(exc: Exception, url: str) -> BrokerError:
    """Return the error to raise instead of `exc`: what is wrong, where, and the cure."""
    if isinstance(exc, REFUSED) or "Protocol error" in str(exc):
        # The server ends the connection over an argument that is longer than it allows.
        return BrokerRefused(
            f"{url} does not take this value ({exc}): see proto-max-bulk-len of the server"
        )
    code = code_of(exc)
    if code:
        return _CLASSES.get(code, BrokerUnavailable)(f"{url}: {_CURES[code]} ({exc})")
    if isinstance(exc, redis_errors.TimeoutError):
        return BrokerUnreachable(
            f"{url} does not answer ({exc}): check that it runs, and the network"
        )
    if isinstance(exc, redis_errors.ConnectionError | redis_errors.RedisClusterException | OSError):
        return BrokerUnreachable(f"no connection to {url}: {exc}")
    return BrokerError(f"{url}: {exc}")
