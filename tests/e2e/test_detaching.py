"""`--detach` and the options beside it, for workers and for beat."""

import os
import stat
import sys
from pathlib import Path

import pytest

from tests.e2e.project import TERM, Project, alive, wait_for

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a fork")

FILES = ("--pidfile", "%n.pid", "--logfile", "%n.log")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("pool", ["processes", "threads"])
def test_a_worker_that_is_detached_works_on_when_the_command_has_ended(
    project: Project, pool: str
) -> None:
    argv = ["worker", "-A", "project", "-n", "w1@h", "-D", "-c", "1", "-P", pool, "-l", "info"]
    output = project.liteq(*argv, *FILES)
    pid = int((project.folder / "w1.pid").read_text())
    try:
        assert output == ""
        assert alive(pid)
        assert os.getsid(pid) == pid
        assert (
            project.python("from project import *; print(add.delay(2, 3).get(timeout=30))") == "5\n"
        )
        assert "w1@h ready" in (project.folder / "w1.log").read_text()
    finally:
        os.kill(pid, TERM)
    wait_for(lambda: not alive(pid), "the end of the worker")
    assert not (project.folder / "w1.pid").exists()


def test_a_worker_that_cannot_start_says_so_before_the_command_ends(project: Project) -> None:
    output = project.liteq("worker", "-A", "nowhere", "-D", *FILES, code=66)
    assert "nowhere" in output

    project.write(
        "full.py", "from liteq import LiteQ\napp = LiteQ('x', broker='sqlite:////dev/null/x')\n"
    )
    output = project.liteq("worker", "-A", "full", "-D", *FILES, code=69)
    assert output.startswith("liteq: cannot create /dev/null/x: ")


def test_beat_may_be_detached(project: Project) -> None:
    output = project.liteq(
        "beat", "-A", "project", "-D", "-q", "--pidfile", "beat.pid", "-f", "b.log"
    )
    pid = int((project.folder / "beat.pid").read_text())
    try:
        assert output == ""
        assert alive(pid)
    finally:
        os.kill(pid, TERM)
    wait_for(lambda: not alive(pid), "the end of beat")


def test_who_detaches_without_a_logfile_is_warned(project: Project) -> None:
    output = project.liteq("worker", "-A", "nowhere", "-D", code=66)

    assert output.startswith("liteq: --detach without --logfile: what it logs goes nowhere\n")


def test_it_runs_by_another_python_with_another_umask(project: Project) -> None:
    wrapper = project.write("python", f'#!/bin/sh\ntouch was-here\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    project.write(
        "project.py", "import os\nfrom liteq import LiteQ\nopen('made', 'w').close()\nos._exit(7)\n"
    )
    argv = ["worker", "-A", "project", "--umask", "077", "--executable", str(wrapper)]
    project.liteq(*argv, code=7)

    assert (project.folder / "was-here").exists()
    assert stat.S_IMODE((project.folder / "made").stat().st_mode) == 0o600


def test_what_cannot_be_done_is_told(project: Project) -> None:
    def told(*argv: str, code: int) -> str:
        return project.liteq("worker", "-A", "project", *argv, code=code)

    assert "no-such-user" in told("--uid", "no-such-user", code=78)
    assert "no-such-group" in told("--gid", "no-such-group", code=78)
    assert "No such file" in told("--executable", "/no/such/python", code=78)
    assert "'8' is not an octal number" in told("--umask", "8", code=2)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may be others")
def test_it_becomes_another_user(project: Project) -> None:
    project.write(
        "project.py",
        "import os\nprint(os.getuid(), os.getgid(), os.getgroups(), flush=True)\nos._exit(7)\n",
    )
    project.folder.chmod(0o755)
    output = project.liteq("worker", "-A", "project", "--uid", "12345", code=78)
    assert "12345" in output

    output = project.liteq("worker", "-A", "project", "--uid", "0", "--gid", "1", code=7)
    assert output.startswith("0 1 [")
