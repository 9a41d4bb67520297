"""Redis servers for tests: real processes on free ports of the loopback address."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

BINARY = shutil.which("redis-server") or shutil.which("valkey-server")
DEADLINE = 20.0  # seconds

needs_redis = pytest.mark.skipif(BINARY is None, reason="there is no redis-server on this machine")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def free_cluster_port() -> int:
    """Return a free port such that the port of the cluster bus, 10,000 above it, is free too."""
    while True:
        port = free_port()
        with suppress(OSError, OverflowError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port + 10_000))
            return port


class RedisServer:
    """A server with a folder of its own. It keeps its port when it is restarted."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.port = free_cluster_port() if "--cluster-enabled" in options else free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server, and wait until it replies."""
        assert BINARY is not None
        address = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [BINARY, *address, "--save", "", *self.options], stdout=log, stderr=log
            )
        end = time.monotonic() + DEADLINE
        while not self._replies():
            assert self.process.poll() is None, (self.folder / "redis.log").read_text()[-2000:]
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill the server, so that it cannot save anything."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def command(self, *words: str | float) -> Any:
        """Send a command through a new connection; return the reply."""
        import redis

        with redis.Redis(port=self.port, socket_timeout=DEADLINE) as client:
            return client.execute_command(*words)

    def info(self, section: str) -> dict[str, str]:
        """Return a section of INFO."""
        found: dict[str, Any] = self.command("INFO", section)
        return {name: str(value) for name, value in found.items()}

    def _replies(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as link:
            link.sendall(b"PING\r\n")
            return link.recv(5) in (b"+PONG", b"-NOAU")
        return False


@contextmanager
def running_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Yield a running server; it is killed at the end."""
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _subfolder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    return path


@contextmanager
def running_sentinels(folder: Path) -> Iterator[tuple[RedisServer, RedisServer, str]]:
    """Yield a master, its replica, and the URL of three sentinels that watch them."""
    with ExitStack() as stack:

        def server(name: str, *options: str) -> RedisServer:
            subfolder = _subfolder(folder, name)
            return stack.enter_context(running_server(subfolder, "--appendonly", "yes", *options))

        master = server("master", "--repl-diskless-sync-delay", "0")
        replica = server("replica", "--replicaof", "127.0.0.1", str(master.port))
        ports = [_sentinel(stack, _subfolder(folder, f"sentinel{n}"), master) for n in range(3)]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        for port in ports:
            wait_until(partial(_knows_all, port), "the sentinels to know each other")
        wait_until(partial(_is_synced, replica), "the replica")
        yield master, replica, f"redis+sentinel://{hosts}/mymaster/0"


def _sentinel(stack: ExitStack, folder: Path, master: RedisServer) -> int:
    """Start a sentinel; return its port."""
    assert BINARY is not None
    port = free_port()
    (folder / "sentinel.conf").write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor mymaster 127.0.0.1 {master.port} 2\n"
        "sentinel down-after-milliseconds mymaster 1000\n"
        "sentinel failover-timeout mymaster 4000\n"
    )
    with (folder / "sentinel.log").open("ab") as log:
        process = subprocess.Popen(
            [BINARY, str(folder / "sentinel.conf"), "--sentinel"], stdout=log, stderr=log
        )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return port


def _knows_all(port: int) -> bool:
    import redis

    with suppress(redis.RedisError), redis.Redis(port=port, protocol=2) as client:
        state = client.execute_command("SENTINEL", "MASTER", "mymaster")
        found = (
            state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
        )
        known = {str(name).strip("b'"): str(value).strip("b'") for name, value in found.items()}
        return known["num-other-sentinels"] == "2" and known["num-slaves"] == "1"
    return False


@contextmanager
def running_cluster(folder: Path) -> Iterator[tuple[list[RedisServer], str]]:
    """Yield three masters that share the slots, and the URL of their cluster."""
    with ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        nodes = [
            stack.enter_context(running_server(_subfolder(folder, f"node{n}"), *options))
            for n in range(3)
        ]
        first = nodes[0]
        for number, node in enumerate(nodes):
            slots = range(16384)[number::3]
            for start in range(0, len(slots), 1000):
                node.command("CLUSTER", "ADDSLOTS", *slots[start : start + 1000])
            if node is not first:
                node.command("CLUSTER", "MEET", "127.0.0.1", first.port)
        for node in nodes:
            wait_until(partial(_is_complete, node), "the cluster")
        yield nodes, "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


def _is_synced(replica: RedisServer) -> bool:
    return replica.info("replication")["master_link_status"] == "up"


def _is_complete(node: RedisServer) -> bool:
    state = str(node.command("CLUSTER", "INFO"))
    return "cluster_state:ok" in state and "cluster_known_nodes:3" in state


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until `condition` returns true; fail after the deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)
