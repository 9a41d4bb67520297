"""The connection to the server: runs scripts, and tries again where that can help."""

import os
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from ...exceptions import BrokerUnavailable, ImproperlyConfigured
from .location import Location
from .scripts import script

try:
    import redis
    from redis import exceptions as theirs
    from redis.backoff import NoBackoff
    from redis.cluster import ClusterNode, RedisCluster
    from redis.retry import Retry
    from redis.sentinel import Sentinel
except ImportError as exc:
    raise ImproperlyConfigured(
        "a Redis store needs the package redis, version 5 or later: "
        "pip install 'liteq-tasks[redis]'"
    ) from exc

from .errors import translate

_Sentinel: Any = Sentinel  # these have no types
_ClusterNode: Any = ClusterNode
Argument = str | bytes | int | float


class Server:
    """A Redis server, or what stands for one. Safe to share between threads and across a fork."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._client: Any = None
        self._flags = True  # until the server turns out to be older than Redis 7
        self._local = threading.local()
        self._links: WeakSet[Any] = WeakSet()

    @property
    def client(self) -> Any:
        """The client; connections are opened when they are first needed."""
        if self._client is None:
            self._client = _client(self.location)
        return self._client

    def run(self, verb: str, *args: Argument) -> Any:
        """Run the script of `verb`; what it answers. Raises BrokerError.

        A connection that turns out to be broken is replaced once: every script may be sent twice.
        One that stays silent is not, so that no caller waits longer than the timeout says.
        """
        return self._twice(lambda: self._evaluate(verb, args))

    def ask(self, *command: Argument) -> Any:
        """Send a plain command. Raises BrokerError."""
        return self._twice(lambda: self._talk(*command))

    def enqueue(self, verb: str, *args: Argument) -> Any:
        """As `run`, and wait until as many replicas have it as the URL asks for."""
        wanted = self.location.wait_replicas
        if not wanted:
            return self.run(verb, *args)
        answer, replicas = self._twice(lambda: self._replicated(verb, args))
        if replicas < wanted:
            raise BrokerUnavailable(
                f"{self.location.url}: it is stored, but of {wanted} replicas only {replicas} "
                f"have it so far"
            )
        return answer

    def close(self) -> None:
        """Close all connections; they are opened again when they are needed."""
        for link in tuple(self._links):
            link.disconnect()
        client, self._client = self._client, None
        self._local = threading.local()
        if client is not None:
            client.close()

    def _twice(self, work: Callable[[], Any]) -> Any:
        try:
            try:
                return work()
            except (theirs.ConnectionError, theirs.ReadOnlyError, ConnectionError):
                self._hang_up()
                return work()
        except (theirs.RedisError, OSError) as exc:
            if not isinstance(exc, theirs.ResponseError) or isinstance(exc, theirs.ReadOnlyError):
                self._hang_up()
            raise translate(exc, self.location.url) from exc

    def _hang_up(self) -> None:
        """What is open may be dead, or lead to a master that is none any more."""
        link = getattr(self._local, "link", None)
        if link is not None:
            link.disconnect()

    def _talk(self, *command: Argument) -> Any:
        """Send one command by this thread's connection; the answer.

        redis-py's own way, through a pool and its instruments, costs twice as much time here as
        the command itself.
        """
        if self.location.kind == "cluster":
            return self.client.execute_command(*command)
        link = self._link()
        try:
            link.connect()  # nothing, if it is; else a sentinel is asked where the master is now
            link.send_command(*command)
            return link.read_response()
        except theirs.ResponseError:
            raise
        except BaseException:
            link.disconnect()  # its answer may still come, and must not meet the next command
            raise

    def _link(self) -> Any:
        local = self._local
        if getattr(local, "pid", None) != os.getpid():  # what the parent has is not ours
            local.link = self.client.connection_pool.make_connection()
            local.pid = os.getpid()
            self._links.add(local.link)
        return local.link

    def _evaluate(self, verb: str, args: tuple[Argument, ...]) -> Any:
        found = script(verb, flags=self._flags)
        keys = (1, self.location.prefix)
        try:
            return self._talk("EVALSHA", found.sha, *keys, *args)
        except theirs.NoScriptError:
            pass  # the server was restarted, or told to forget
        try:
            return self._talk("EVAL", found.text, *keys, *args)
        except theirs.ResponseError as exc:
            if not (self._flags and "compiling script" in str(exc)):
                raise
        self._flags = False
        return self._evaluate(verb, args)

    def _replicated(self, verb: str, args: tuple[Argument, ...]) -> tuple[Any, int]:
        """WAIT counts what its own connection has written, and this thread has one."""
        answer = self._evaluate(verb, args)
        wait = (self.location.wait_replicas, int(self.location.timeout * 500))
        return answer, int(self._talk("WAIT", *wait))


def _client(location: Location) -> Any:
    options: dict[str, Any] = {
        "db": location.db,
        "username": location.username,
        "password": location.password,
        "socket_timeout": location.timeout,
        "socket_connect_timeout": location.connect_timeout,
        "socket_keepalive": True,
        "protocol": 2,
        # We try again ourselves: only we know what may be sent twice.
        "retry": Retry(NoBackoff(), 0),
    }
    if location.tls is not None:
        options |= {"ssl": True, **{f"ssl_{name}": value for name, value in location.tls.items()}}
    if location.socket is not None:
        del options["socket_keepalive"]
        return redis.Redis(unix_socket_path=location.socket, **options)
    if location.kind == "sentinel":
        return _by_sentinels(location, options)
    if location.kind == "cluster":
        nodes = [_ClusterNode(*host) for host in location.hosts]
        del options["db"]
        return RedisCluster(startup_nodes=nodes, **options)
    (host,) = location.hosts
    return redis.Redis(host=host.name, port=host.port, **options)


def _by_sentinels(location: Location, options: dict[str, Any]) -> Any:
    timeouts = {
        "socket_timeout": location.connect_timeout,
        "socket_connect_timeout": location.connect_timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    if location.sentinel_password:
        timeouts["password"] = location.sentinel_password
    sentinel = _Sentinel(list(location.hosts), sentinel_kwargs=timeouts)
    return sentinel.master_for(location.master, **options)
