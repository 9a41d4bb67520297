"""Redis servers for tests: real processes on free ports of the loopback address."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

BINARY = shutil.which("redis-server") or shutil.which("valkey-server")
DEADLINE = 20.0  # seconds

needs_redis = pytest.mark.skipif(BINARY is None, reason="there is no redis-server on this machine")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class RedisServer:
    """A server with a folder of its own. It keeps its port when it is started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert BINARY is not None
        address = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [BINARY, *address, "--save", "", *self.options], stdout=log, stderr=log
            )
        end = time.monotonic() + DEADLINE
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "redis.log").read_text()[-2000:]
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, as a loss of power would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def command(self, *words: str | float) -> Any:
        """Send a command by a connection of its own; the answer."""
        import redis

        with redis.Redis(port=self.port, socket_timeout=DEADLINE) as client:
            return client.execute_command(*words)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as link:
            link.sendall(b"PING\r\n")
            return link.recv(5) in (b"+PONG", b"-NOAU")
        return False


@contextmanager
def running_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A server that runs; killed at the end."""
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
