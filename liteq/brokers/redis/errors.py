"""Redis's errors in liteq's words, translated at one spot."""

from redis import exceptions as theirs

from ...exceptions import BrokerError, BrokerFull, BrokerUnavailable, BrokerUnreachable

# By the first word of what the server says.
_CURES = {
    "OOM": "the server is full: raise its maxmemory, or let workers finish what waits; "
    "liteq goes on by itself",
    "READONLY": "this server is a replica: give the URL of the master, or use redis+sentinel://",
    "LOADING": "the server is reading its data from disk; liteq goes on by itself",
    "MISCONF": "the server cannot save to its disk, so it refuses writes: see its log",
    "NOREPLICAS": "the server has fewer replicas than min-replicas-to-write asks for",
    "BUSY": "a script of somebody else keeps the server busy",
    "MASTERDOWN": "the server has lost its master",
    "CLUSTERDOWN": "the cluster is not complete",
    "TRYAGAIN": "the cluster is moving keys; liteq goes on by itself",
    "NOAUTH": "the server wants a password: redis://:password@host",
    "WRONGPASS": "user or password is wrong",
    "NOPERM": "this user may not do that: allow it the keys `{liteq*` and scripts, see its ACL",
}


_CLASSES = {
    "OOM": BrokerFull,
    "LOADING": BrokerUnreachable,
    "MASTERDOWN": BrokerUnreachable,
    "CLUSTERDOWN": BrokerUnreachable,
}


def code_of(exc: Exception) -> str:
    """The first word of what the server said."""
    text = str(exc)
    for code in _CURES:
        if text.startswith(code) or f" {code} " in text[:200]:
            return code
    return next((code for kind, code in _KINDS if isinstance(exc, kind)), "")


# redis-py cuts off the first word of some errors and makes it a class.
_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (theirs.OutOfMemoryError, "OOM"),
    (theirs.ReadOnlyError, "READONLY"),
    (theirs.BusyLoadingError, "LOADING"),
    (theirs.AuthenticationWrongNumberOfArgsError, "WRONGPASS"),
    (theirs.AuthenticationError, "WRONGPASS"),
    (theirs.NoPermissionError, "NOPERM"),
)


def translate(exc: Exception, url: str) -> BrokerError:
    """The error to raise instead of `exc`: what is wrong, where, and the cure."""
    code = code_of(exc)
    if code:
        return _CLASSES.get(code, BrokerUnavailable)(f"{url}: {_CURES[code]} ({exc})")
    if isinstance(exc, theirs.TimeoutError):
        return BrokerUnreachable(f"{url} does not answer ({exc}): is it up, and the network too?")
    if isinstance(exc, theirs.ConnectionError | theirs.RedisClusterException | OSError):
        return BrokerUnreachable(f"no connection to {url}: {exc}")
    return BrokerError(f"{url}: {exc}")
