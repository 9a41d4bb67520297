"""The examples, run as their texts say."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from .project import ROOT, Project

EXAMPLES = ROOT / "examples"


@pytest.fixture
def folder(tmp_path: Path) -> Project:
    return Project(tmp_path, source="")


def test_the_celery_tutorial(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "tutorial", tmp_path / "tutorial")
    tutorial = Project(tmp_path / "tutorial", source="")
    (tmp_path / "tutorial" / "project.py").unlink()
    with tutorial.worker("-l", "debug") as worker:
        first = tutorial.run("worker01.py")
        mail = re.search(r"mail task: (\S+)", first)
        assert mail is not None
        second = tutorial.run("worker02.py", mail[1])
        worker.wait_for_line("hello, liteq")

    assert "add(2, 3) = 5" in first
    assert "mail sent to celery@python.org" in first
    assert first.rstrip().endswith("SUCCESS")
    assert second == "mail sent to celery@python.org\n"


def test_the_tutorial_differs_from_celerys_by_imports_and_urls_only() -> None:
    names = {
        line.strip()
        for path in (EXAMPLES / "tutorial").rglob("*.py")
        for line in path.read_text().splitlines()
        if "liteq" in line.lower() or "sqlite" in line
    }

    assert names == {
        "from liteq import LiteQ",
        'app = LiteQ("project")',
        "from liteq.result import AsyncResult",
        'BROKER_URL = "sqlite:///project.db"',
        'CELERY_RESULT_BACKEND = "sqlite:///project.db"',
        'show_name.delay("liteq")',
    }


@pytest.mark.skipif(sys.platform == "win32", reason="the demonstration is a shell command")
def test_a_hundred_machines(folder: Project, tmp_path: Path) -> None:
    folder.env["XDG_STATE_HOME"] = str(tmp_path)
    script = str(EXAMPLES / "hundred_machines.py")
    out = folder.run(script, "--timeout", "1.5")
    sent = re.search(r"100 tasks sent as (\S+);", out)
    assert sent is not None
    again = folder.run(script, "--results", sent[1], code=1)

    for text in (out, again):
        assert "98 ok, 2 failed, 0 unfinished" in text
        assert "-013: CommandFailed: exit code 3: disk full" in text
        assert "-042: TimeoutExpired" in text
    assert "100/100" in out


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script plays ssh")
def test_machines_by_ssh(folder: Project, tmp_path: Path) -> None:
    """A script takes the place of ssh, and prints how it was called: there are no other hosts."""
    ssh = folder.write("bin/ssh", '#!/bin/sh\necho "on $3: $4"\n')
    ssh.chmod(0o755)
    hosts = folder.write("hosts", "alpha\nbeta\n")
    folder.env |= {"XDG_STATE_HOME": str(tmp_path), "PATH": f"{ssh.parent}:{folder.env['PATH']}"}
    script = str(EXAMPLES / "hundred_machines.py")
    out = folder.run(script, "--ssh", str(hosts), "--", "uptime", "-p")
    sent = re.search(r"2 tasks sent as (\S+);", out)
    assert sent is not None

    assert "2 ok, 0 failed, 0 unfinished" in out
