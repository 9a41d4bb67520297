"""What is measured runs in: a venv for each queue, a Redis server, a Postgres server."""

import compileall
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import Failed, new_mark, running

HERE = Path(__file__).resolve().parent
VENVS = HERE / ".venvs"
REQUIREMENTS = HERE / "requirements"
_POSTGRES = "/usr/lib/postgresql/*/bin"  # Debian does not put it on the path
_QUIET = ("--quiet", "--disable-pip-version-check")


def python_of(queue: str) -> Path:
    """Return the interpreter of the venv in which `queue` is installed."""
    return VENVS / queue / "bin" / "python"


def install(queue: str) -> None:
    """Install `queue` in the pinned versions, unless that was done for these and this Python.

    Each queue has a venv of its own: some ask for different versions of redis-py, and no import of
    one can be slower because another is there.
    """
    wanted = f"{sys.version}\n{_requirements(queue).read_text()}"
    stamp = VENVS / queue / ".installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {queue} into benchmarks/.venvs ...", file=sys.stderr)
        venv.create(VENVS / queue, clear=True, with_pip=True)
        _pip(queue, "install", "-r", _requirements(queue))
        stamp.write_text(wanted)
    if queue == "liteq":
        _install_liteq()


def compile_projects() -> None:
    """Compile what is measured beside the queues, so that no first start has to."""
    for folder in ("projects", "contenders", "rows"):
        compileall.compile_dir(HERE / folder, quiet=1)


def environment(store: Path) -> dict[str, str]:
    """Return the environment of a measuring process: that of a user, not of this shell.

    With PYTHONDONTWRITEBYTECODE, what is not compiled yet would be compiled at every start; with a
    PYTHONPATH of its own, the tree could be measured in place of what is installed.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": str(HERE / "projects"), "BENCH_FOLDER": str(store)}


def versions(queues: list[str]) -> list[str]:
    """Return the pinned requirements of `queues`, each once, sorted."""
    lines = (line for queue in queues for line in _requirements(queue).read_text().splitlines())
    return sorted({line.partition("#")[0].strip() for line in lines})


def redis_installed() -> bool:
    return shutil.which("redis-server") is not None


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run a Redis on a free loopback port, as fast as Redis gets: nothing is written to disk."""
    port = _free_port()
    command = [
        *("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
        *("--save", "", "--appendonly", "no"),
    ]
    with running(command, folder / "redis.log", new_mark("BENCH_REDIS_SERVER"), {}):
        _wait_for_port(port)
        yield f"redis://127.0.0.1:{port}"


def postgres_installed() -> bool:
    """Return whether a Postgres server can be started: there is one, and a user that may run it."""
    return _postgres("postgres") is not None and (os.getuid() != 0 or _postgres_user() is not None)


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Run a Postgres on a free loopback port, as it comes: each commit is on the disk."""
    port, user = _free_port(), _postgres_user() if os.getuid() == 0 else None
    data = Path(tempfile.mkdtemp(dir=folder, prefix="postgres-"))
    if user is not None:  # it refuses to be run by root
        folder.chmod(0o711)
        shutil.chown(data, user)
    subprocess.run(
        [str(_postgres("initdb")), "-D", data, "-A", "trust", "-U", "bench", "--no-sync"],
        user=user,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    command = [
        *(str(_postgres("postgres")), "-D", str(data), "-p", str(port)),
        *("-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"),
    ]
    mark = new_mark("BENCH_POSTGRES_SERVER")
    with running(command, folder / "postgres.log", mark, {}, user=user):
        _wait_for_port(port)
        yield f"postgresql://bench@127.0.0.1:{port}/postgres"


def _postgres(program: str) -> str | None:
    folders = [str(path) for path in sorted(Path("/").glob(_POSTGRES[1:]))]
    return shutil.which(program) or shutil.which(program, path=os.pathsep.join(folders))


def _postgres_user() -> str | None:
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return None


def _install_liteq() -> None:
    """Install a wheel of the tree, compiled as every wheel is."""
    with tempfile.TemporaryDirectory() as folder:
        _pip("liteq", "wheel", "--no-deps", "--wheel-dir", folder, HERE.parent)
        (wheel,) = Path(folder).glob("*.whl")
        _pip("liteq", "install", "--no-deps", "--force-reinstall", wheel)


def _pip(queue: str, verb: str, *arguments: str | Path) -> None:
    command = [python_of(queue), "-m", "pip", verb, *_QUIET, *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(command, env=kept, check=True)


def _requirements(queue: str) -> Path:
    return REQUIREMENTS / f"{queue}.txt"


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
    raise Failed(f"no server opened port {port} within 10 s")
