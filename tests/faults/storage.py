"""What the tests of storage faults share: disks of their own, and failing system calls."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.project import KILL, Program, Project, children_of

# Sends on and on, and says of each task how that went.
SENDER = """
import itertools, time
import project
for n in itertools.count():
    try:
        print("sent", project.add.delay(n, 1).id, flush=True)
    except Exception as exc:
        print(type(exc).__name__, exc, flush=True)
    time.sleep(0.02)
"""


def works(*argv: str) -> bool:
    """Whether this machine lets us do that."""
    if sys.platform != "linux" or shutil.which(argv[0]) is None:
        return False
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(
    not works("unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"),
    reason="needs `unshare -Urm` and mounts of tmpfs",
)
needs_strace = pytest.mark.skipif(
    not works("strace", "-f", "-e", "trace=none", "-e", "inject=chroot:error=EIO", "true"),
    reason="needs strace",
)


@contextmanager
def strace(project: Project, inject: str, *argv: str) -> Iterator[Program]:
    """Python with `argv`, with a fault injected into its system calls."""
    calls = inject.partition(":")[0]
    options = ["-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={inject}"]
    program = Program(["strace", *options, sys.executable, *argv], project.folder, project.env)
    try:
        yield program
    finally:
        for child in children_of(program.pid):  # it would go on without strace
            os.kill(child, KILL)
        program.kill()


_MOUNT = """
mount -t tmpfs -o mode=700,size=$1 none "$0" && cp "$0"/../*.py "$0" && echo mounted && exec cat
"""


class Disk:
    """A small disk of its own for a project: programs that run within see it, nobody else does."""

    def __init__(self, project: Project, size: str) -> None:
        self.project = project
        self._holder = subprocess.Popen(
            ["unshare", "-Urm", "sh", "-c", _MOUNT, str(self.folder), size],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "mounted\n"

    @property
    def folder(self) -> Path:
        folder = self.project.folder / "disk"
        folder.mkdir(exist_ok=True)
        return folder

    def start(self, *argv: str) -> Program:
        """Start a program there."""
        enter = ["nsenter", "-t", str(self._holder.pid), "-U", "-m", "--preserve-credentials"]
        within = ["sh", "-c", 'cd "$0" && exec "$@"', str(self.folder)]
        return Program([*enter, *within, *argv], self.project.folder, self.project.env)

    def run(self, *argv: str) -> str:
        """Run a program there to its end; what it prints."""
        program = self.start(*argv)
        try:
            assert program.wait() == 0, program.output
            return program.output
        finally:
            program.kill()

    def python(self, *argv: str) -> Program:
        return self.start(sys.executable, *argv)

    def remount(self, options: str) -> None:
        """Make it larger, read-only, writable."""
        self.run("mount", "-o", f"remount,{options}", str(self.folder))

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()
        for stream in (self._holder.stdin, self._holder.stdout):
            assert stream is not None
            stream.close()
