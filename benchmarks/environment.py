"""What the rivals need: a venv of their own, and a Redis server."""

import os
import shutil
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import Failed, new_mark, running

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
RIVALS = HERE / "rivals.txt"
STAMP = VENV / ".installed"


def make_venv() -> None:
    """Install the rivals, unless that was done for this very list and this Python."""
    wanted = f"{sys.version}\n{RIVALS.read_text()}"
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("installing the rivals into benchmarks/.venv ...", file=sys.stderr)
    venv.create(VENV, clear=True, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(RIVALS)], check=True)
    STAMP.write_text(wanted)


def import_path() -> str:
    """Return where the measuring process and its workers import from."""
    return os.pathsep.join([str(HERE / "projects"), str(HERE.parent)])


def redis_installed() -> bool:
    return shutil.which("redis-server") is not None


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Start a Redis on a free loopback port, as fast as Redis gets: nothing goes to the disk."""
    port = _free_port()
    command = [
        *("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
        *("--save", "", "--appendonly", "no"),
    ]
    with running(command, folder / "redis.log", new_mark("BENCH_REDIS_SERVER"), {}):
        _wait_for_port(port)
        yield f"redis://127.0.0.1:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Failed(f"redis-server did not open port {port} within 10 s")
