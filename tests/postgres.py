"""A PostgreSQL server for tests: a real process, in a folder of its own, on a socket in it."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.servers import DEADLINE

_DEBIAN = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
_USER = "postgres"


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([*_DEBIAN, os.environ["PATH"]]))


def _missing() -> str | None:
    """Return what is not there of what the tests need, in words; None if all is."""
    if _program("postgres") is None or _program("initdb") is None:
        return "there is no PostgreSQL server on this machine"
    try:
        import psycopg  # noqa: F401 - only to know whether it is there
    except ImportError as exc:
        return f"the driver psycopg cannot be used: {exc}"
    if os.name != "posix":
        return "the server is started as on Unix"
    if os.geteuid() == 0:
        import pwd

        try:  # the server refuses to run as root
            pwd.getpwnam(_USER)
        except KeyError:
            return f"this is root, and there is no user {_USER} for the server to run as"
    return None


MISSING = _missing()

needs_postgres = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


class PostgresServer:
    """A server in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dsn = f"host={folder} dbname=postgres user={_USER}"
        self.url = f"postgresql+psycopg://{_USER}@/postgres?host={folder}"  # of SQLAlchemy
        # As root it would not run.
        self._as: dict[str, Any] = {"user": _USER, "group": _USER} if os.geteuid() == 0 else {}

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        if self._as:
            shutil.chown(self.folder, **self._as)
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", _USER, "--auth=trust", "--no-sync")
        options = (f"-D{data}", f"-k{self.folder}", "-clisten_addresses=", "-cfsync=off")
        with (self.folder / "server.log").open("ab") as log:
            program = str(_program("postgres"))
            self.process = subprocess.Popen(
                [program, *options],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                extra_groups=[] if self._as else None,
                **self._as,
            )
        end = time.monotonic() + DEADLINE
        while not self._replies():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server at once; it waits for nobody."""
        self.process.send_signal(3)  # SIGQUIT: kill would leave its children
        self.process.wait()

    def connect(self, **options: Any) -> Any:
        """Return a new connection."""
        import psycopg

        return psycopg.connect(self.dsn, **options)

    def clear(self) -> None:
        """Drop all tables."""
        with self.connect(autocommit=True) as connection:
            connection.execute("drop schema public cascade")
            connection.execute("create schema public")
            connection.execute("grant usage on schema public to public")

    def _run(self, name: str, *args: str) -> None:
        subprocess.run(
            [str(_program(name)), *args],
            check=True,
            capture_output=True,
            cwd=self.folder,
            extra_groups=[] if self._as else None,
            **self._as,
        )

    def _replies(self) -> bool:
        import psycopg

        with suppress(psycopg.OperationalError), self.connect():
            return True
        return False


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Yield a running server; it is stopped at the end.

    Its folder is not among those of pytest, into which only this user may look.
    """
    folder = Path(tempfile.mkdtemp(prefix="liteq-pg-"))
    server = PostgresServer(folder)
    try:
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
