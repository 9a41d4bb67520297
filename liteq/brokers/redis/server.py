"""The connection to the server: runs scripts, and retries once where that can help."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from ...exceptions import BrokerError, BrokerRefused, BrokerUnavailable, ImproperlyConfigured
from .location import RedisLocation
from .wrongkeys import describe, is_about_type, names_in

try:
    import redis
    from redis import exceptions as redis_errors
    from redis.backoff import NoBackoff
    from redis.cluster import ClusterNode, RedisCluster
    from redis.retry import Retry
    from redis.sentinel import Sentinel
except ImportError as _error:
    raise ImproperlyConfigured(
        "a Redis store needs the package redis, version 5 or later: "
        "pip install 'liteq-tasks[redis]'"
    ) from _error

from .errors import REFUSED, translate
from .scripting import Argument, Scripting

_Sentinel: Any = Sentinel  # redis-py has no types for these
_ClusterNode: Any = ClusterNode

_LEAST_LIMIT = 2**16  # bytes; no server has a lower proto-max-bulk-len


class Server:
    """A Redis server: a single one, the master that sentinels name, or a cluster.

    Safe to share between threads and across a fork.
    """

    def __init__(self, location: RedisLocation) -> None:
        self.location = location
        self._client: Any = None
        self.scripting: Scripting = Scripting(location, self._send)
        self._local = threading.local()  # the thread's connection, and the process that opened it
        self._connections: WeakSet[Any] = WeakSet()  # of all threads

    @property
    def client(self) -> Any:
        """Return the client of redis-py; it connects when it is first used."""
        if self._client is None:
            self._client = _client(self.location)
        return self._client

    def run(self, verb: str, *args: Argument) -> Any:
        """Run the script of `verb` and return its reply. Raises BrokerError.

        A connection that turns out to be broken is replaced once: every script may be sent twice.
        The second time it gets a flag that says so, as it may have been run the first time. A
        connection on which no reply comes is not replaced, so that no caller waits longer than the
        timeout says.
        """
        return self._with_retry(lambda again: self.scripting.run(verb, args, again=again), args)

    def start(self, verb: str, *args: Argument) -> Callable[[], Any] | None:
        """Send the script of `verb`; return what waits for the reply, and returns it as `run` does.

        None for a cluster, where redis-py decides by which connection. A thread may wait for one
        such reply at a time, and use the server in other ways meanwhile.
        """
        if self.location.kind == "cluster":
            return None
        local = self._local
        if getattr(local, "aside_pid", None) != os.getpid():
            local.aside, local.aside_pid = self._new_connection(), os.getpid()
        pending = PendingReply(self, local.aside, verb, args)
        return lambda: self._with_retry(pending.read, args)

    def execute(self, *command: Argument) -> Any:
        """Run a plain command and return its reply. Raises BrokerError."""
        return self._with_retry(lambda again: self._send(*command), command)

    def run_replicated(self, verb: str, *args: Argument) -> Any:
        """Run a script like `run`, and wait for as many replicas as the URL asks for.

        Raises BrokerUnavailable when too few replicas have the change in time; the master has it.
        """
        wanted = self.location.wait_replicas
        if not wanted:
            return self.run(verb, *args)
        reply, replicas = self._with_retry(
            lambda again: self._run_and_wait(verb, args, again=again), args
        )
        if replicas < wanted:
            raise BrokerUnavailable(
                f"{self.location.url}: it is stored, but of {wanted} replicas only {replicas} "
                f"have it so far"
            )
        return reply

    def subscribe(self, channels: Sequence[str]) -> Any:
        """Return a new connection that is subscribed to `channels`.

        It is one to the node of the store. Raises the errors of redis-py, and OSError.
        """
        client = self.client
        if self.location.kind == "cluster":
            client = client.get_redis_connection(client.get_node_from_key(self.location.prefix))
        connection = client.connection_pool.make_connection()
        try:
            connection.connect()
            connection.send_command("SUBSCRIBE", *channels)
            for _ in channels:
                connection.read_response()
        except BaseException:
            connection.disconnect()
            raise
        return connection

    def find_wrong_keys(self, args: Iterable[object]) -> list[list[bytes]]:
        """Return the keys that another program has written over: what wrong_keys.lua returns.

        `args`: of a command, with the names of queues and others whose keys are looked at. An empty
        list where the server does not say.
        """
        found: list[list[bytes]] = []
        with suppress(redis_errors.RedisError, OSError):
            found += self.scripting.run("wrong_keys", (0.0, *names_in(args)), again=False)
        return found

    def close(self) -> None:
        """Close all connections; they are opened again when they are needed."""
        for connection in tuple(self._connections):
            connection.disconnect()
        client, self._client = self._client, None
        self._local = threading.local()
        if client is not None:
            client.close()

    def _with_retry(self, work: Callable[[bool], Any], args: Sequence[Argument]) -> Any:
        """Call `work`, which sends `args`, at most twice: with False, then with True."""
        try:
            try:
                return work(False)
            except (redis_errors.ConnectionError, redis_errors.ReadOnlyError, ConnectionError):
                self._disconnect()
                return work(True)
        except (redis_errors.RedisError, OSError, *REFUSED) as exc:
            if not isinstance(exc, redis_errors.ResponseError) or isinstance(
                exc, redis_errors.ReadOnlyError
            ):
                self._disconnect()
            if isinstance(exc, redis_errors.ConnectionError):
                self._refuse_too_long(args)
            if is_about_type(exc) and (wrong := self.find_wrong_keys(args)):
                raise BrokerError(f"{self.location.url}: {describe(wrong)}") from exc
            raise translate(exc, self.location.url) from exc

    def _refuse_too_long(self, args: Sequence[Argument]) -> None:
        """Raise BrokerRefused if one of `args` is longer than the server allows.

        It ends the connection over such an argument, and its reply that says so is often lost.
        """
        longest = max((len(each) for each in args if isinstance(each, str | bytes)), default=0)
        if longest <= _LEAST_LIMIT:
            return
        try:
            _, limit = self._send("CONFIG", "GET", "proto-max-bulk-len")
        except (redis_errors.RedisError, OSError, ValueError):
            return  # perhaps it may not be asked
        if longest > int(limit):
            raise BrokerRefused(
                f"{self.location.url} takes no value of {longest} bytes: its proto-max-bulk-len "
                f"is {int(limit)}"
            )

    def _disconnect(self) -> None:
        # The connection may be broken, or lead to a server that is not the master any more.
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.disconnect()

    def _send(self, *command: Argument) -> Any:
        """Send one command by this thread's connection and return the reply.

        redis-py's own `execute_command`, with its pool and its instruments, takes twice as much
        time here as the command itself.
        """
        if self.location.kind == "cluster":
            return self.client.execute_command(*command)
        connection = self._connection()
        try:
            # Does nothing if it is connected; else sentinels are asked where the master is now.
            connection.connect()
            connection.send_command(*command)
            return connection.read_response()
        except redis_errors.ResponseError:
            raise
        except BaseException:
            # The reply may still come, and must not be taken for that of the next command.
            connection.disconnect()
            raise

    def _connection(self) -> Any:
        local = self._local
        if getattr(local, "pid", None) != os.getpid():  # after a fork: never use the parent's
            local.connection = self._new_connection()
            local.pid = os.getpid()
        return local.connection

    def _new_connection(self) -> Any:
        connection = self.client.connection_pool.make_connection()
        self._connections.add(connection)
        return connection

    def _run_and_wait(
        self, verb: str, args: tuple[Argument, ...], *, again: bool
    ) -> tuple[Any, int]:
        # WAIT is about the writes of its own connection, and this thread has one of its own.
        reply = self.scripting.run(verb, args, again=again)
        half_timeout = int(self.location.timeout * 500)  # in milliseconds
        return reply, int(self._send("WAIT", self.location.wait_replicas, half_timeout))


class PendingReply:
    """The reply to a script that was sent through `connection`."""

    def __init__(
        self, server: Server, connection: Any, verb: str, args: tuple[Argument, ...]
    ) -> None:
        self._scripting = server.scripting
        self._connection = connection
        self._verb = verb
        self._args = args
        self._failure: Exception | None = None  # to send it
        try:
            connection.connect()
            connection.send_command(*self._scripting.command(verb, args))
        except (redis_errors.RedisError, OSError, *REFUSED) as exc:
            connection.disconnect()
            self._failure = exc

    def read(self, again: bool) -> Any:
        """Wait for the reply; with `again`, run the script once more instead."""
        if again:
            return self._scripting.run(self._verb, self._args, again=True)
        if self._failure is not None:
            raise self._failure
        try:
            return self._connection.read_response()
        except redis_errors.ReadOnlyError:
            self._connection.disconnect()  # another server is the master by now
            raise
        except redis_errors.ResponseError as exc:
            if not self._scripting.was_not_run(exc):
                raise
        except BaseException:
            # The reply may still come, and must not be taken for that of the next command.
            self._connection.disconnect()
            raise
        return self._scripting.run(self._verb, self._args, again=False)


def _client(location: RedisLocation) -> Any:
    options: dict[str, Any] = {
        "db": location.db,
        "username": location.username,
        "password": location.password,
        "socket_timeout": location.timeout,
        "socket_connect_timeout": location.connect_timeout,
        "socket_keepalive": True,
        "protocol": 2,
        # Each thread has its own. Those that `make_connection` makes count for redis-py 8, whose
        # limit is 100, for as long as the process lives: even when they are closed.
        "max_connections": 2**31,
        # No retries by redis-py: `Server` knows which commands may be sent twice.
        "retry": Retry(NoBackoff(), 0),
    }
    if location.tls is not None:
        options |= {"ssl": True, **{f"ssl_{name}": value for name, value in location.tls.items()}}
    if location.socket is not None:
        del options["socket_keepalive"]
        return redis.Redis(unix_socket_path=location.socket, **options)
    if location.kind == "sentinel":
        return _master_client(location, options)
    if location.kind == "cluster":
        nodes = [_ClusterNode(*host) for host in location.hosts]
        del options["db"]
        return RedisCluster(startup_nodes=nodes, **options)
    (host,) = location.hosts
    return redis.Redis(host=host.name, port=host.port, **options)


def _master_client(location: RedisLocation, options: dict[str, Any]) -> Any:
    timeouts = {
        "socket_timeout": location.connect_timeout,
        "socket_connect_timeout": location.connect_timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    if location.sentinel_password:
        timeouts["password"] = location.sentinel_password
    sentinel = _Sentinel(list(location.hosts), sentinel_kwargs=timeouts)
    return sentinel.master_for(location.master, **options)
