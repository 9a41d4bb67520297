"""Workers in pid namespaces of their own, as in containers: none sees the processes of others."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import pytest

from tests.e2e.project import Program, Project, children_of

_UNSHARE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")


@cache
def _may_unshare() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    command = [*_UNSHARE, "--mount-proc", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Container:
    """A worker in a pid namespace of its own."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def stop(self) -> None:
        """Stop all its processes."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill all its processes."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for pid in children_of(self.program.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


@contextmanager
def container(project: Project, *options: str, proc: bool = True) -> Iterator[Container]:
    """Run a worker in a container for the block; `proc`: with a /proc of its own."""
    if not _may_unshare():
        pytest.skip("there are no pid namespaces here, or this user may not make any")
    liteq = ("-m", "liteq", "worker", "-A", "project", "-l", "info", *options)
    command = [*_UNSHARE, *(["--mount-proc"] if proc else []), sys.executable, *liteq]
    program = Program(command, project.folder, project.env)
    worker = Container(program)
    try:
        program.wait_for_line(r"\[tasks\]")
        yield worker
    finally:
        worker.go_on()
        worker.kill()
        program.kill()
