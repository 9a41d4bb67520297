"""`liteq check-celery` over whole projects, as a person or a CI runs it."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.project import ROOT, Project

PROJECTS = sorted(each.name for each in (ROOT / "tests/projects").iterdir() if each.is_dir())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, "")


def checked(project: Project, *argv: str, code: int) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(project.liteq("check-celery", *argv, "--json", code=code))
    return document


@pytest.mark.parametrize("name", PROJECTS)
def test_nothing_is_missing_in_projects_that_are_known_to_run(name: str, project: Project) -> None:
    document = checked(project, str(ROOT / "tests/projects" / name), code=0)

    assert document["missing"] == document["unread"] == 0
    assert document["works"] > 3


def test_a_project_is_read_and_not_run(project: Project) -> None:
    project.write("tasks.py", "from celery import Celery\nopen('run', 'w')\napp = Celery('x')\n")

    printed = project.liteq("check-celery", ".")

    assert "tasks.py:1: works: from celery import Celery\n" in printed
    assert printed.endswith("0 missing, 0 different, 2 working; in 1 file\n")
    assert not (project.folder / "run").exists()


def test_a_folder_without_celery_is_told_so(project: Project) -> None:
    assert project.liteq("check-celery", ".") == "no use of Celery\n"


def test_what_is_missing_is_seen_first_and_fails_a_build(project: Project) -> None:
    project.write("proj/a.py", "from celery import shared_task\nimport billiard\n")
    project.write("proj/z.py", "\nfrom celery import bootsteps\n")
    project.write("Procfile", "worker: celery -A proj worker -E\n")

    lines = project.liteq("check-celery", ".", code=1).splitlines()

    assert lines[0].startswith("proj/z.py:2: missing: from celery import bootsteps: the worker")
    assert [line.split(": ")[1] for line in lines[1:-1]] == [*["differs"] * 2, *["works"] * 3]
    assert lines[-1] == "1 missing, 2 different, 3 working; in 3 files"


def test_the_limit_leaves_out_what_works_and_says_so(project: Project) -> None:
    project.write("a.py", "import celery\nimport celery.bootsteps\n")

    printed = project.liteq("check-celery", ".", "--limit", "1", code=1)
    document = checked(project, ".", "--limit=1", code=1)

    assert printed.startswith("a.py:2: missing: import celery.bootsteps")
    assert "1 missing, 0 different, 1 working; in 1 file\n" in printed
    assert "liteq: there is more: see --limit" in printed
    assert document["more"] is True
    assert [each["state"] for each in document["uses"]] == ["missing"]
    assert document["uses"][0].keys() == {"file", "line", "use", "state", "why"}


def test_one_file_can_be_checked_and_parts_can_be_left_out(project: Project) -> None:
    project.write("a.py", "import celery.bootsteps\n")
    project.write("tests/b.py", "import celery.bootsteps\n")
    project.write("tests/c.py", "import celery.bootsteps\n")

    assert checked(project, "a.py", code=1)["uses"][0]["file"] == "a.py"
    assert checked(project, ".", "--exclude", "tests", "--exclude=a.*", code=0)["missing"] == 0
    assert checked(project, ".", "--exclude=tests/*", code=1)["missing"] == 1


def test_scripts_are_read_whatever_their_names(project: Project) -> None:
    project.write("bin/start", "#!/bin/sh\nexec celery -A proj multi start\n")
    project.write("bin/run", "#!/usr/bin/env python\nimport celery.bootsteps\n")

    uses = checked(project, ".", code=1)["uses"]

    assert [(each["file"], each["use"]) for each in uses if each["state"] == "missing"] == [
        ("bin/run", "import celery.bootsteps"),
        ("bin/start", "celery multi"),
    ]


def test_a_path_that_is_not_there_is_a_wrong_command_line(project: Project) -> None:
    assert project.liteq("check-celery", "gone", code=2) == "liteq: there is no gone\n"


def test_what_is_no_code_of_the_project_is_passed_over(project: Project) -> None:
    for folder in (".git", "node_modules/x", "env/lib/site-packages", "__pycache__", "venv/lib"):
        project.write(f"{folder}/a.py", "import celery.bootsteps\n")
    project.write("venv/pyvenv.cfg", "")
    project.write("notes.txt", "celery -A proj multi\n")
    project.write("NOTES", "celery -A proj multi\n")
    project.write(".github/workflows/ci.yml", "run: celery -A proj multi start\n")

    uses = checked(project, ".", code=1)["uses"]

    assert {each["file"] for each in uses} == {".github/workflows/ci.yml"}


def test_a_nasty_project_is_told_of_and_never_ends_in_a_traceback(project: Project) -> None:
    expected = dict(nasty(project.folder))

    printed = project.liteq("check-celery", ".", code=1)
    uses = checked(project, ".", code=1)["uses"]

    unread = {each["file"]: each["why"] for each in uses if each["state"] == "unread"}
    assert unread.keys() == expected.keys()
    assert {name for name, why in expected.items() if why not in unread[name]} == set()
    assert "Traceback" not in printed
    assert "\x1b" not in printed
    assert f"0 missing, 0 different, 1 working, {len(expected)} not read; in" in printed


def nasty(folder: Path) -> Iterator[tuple[str, str]]:
    """Write files that are hard to read; yield the path of each that cannot be, and a reason."""
    (folder / "good.py").write_text("import celery\n")
    (folder / "syntax.py").write_text("import celery\ndef f(:\n")
    yield "syntax.py", "no code for Python"
    (folder / "bytes.py").write_bytes(b"import celery\nx = '\xff\xfe'\n")
    yield "bytes.py", "no code for Python"
    (folder / "deep.py").write_text("import celery\nx = " + "-" * 100_000 + "1\n")
    yield "deep.py", "no code for Python"
    (folder / "huge.py").write_bytes(b"# celery" + b"#" * 5_000_000)
    yield "huge.py", "longer than 4 MiB"
    (folder / "huge_data.py").write_bytes(b"#" * 5_000_000)
    (folder / "loop.py").symlink_to("loop.py")
    yield "loop.py", os.strerror(errno.ELOOP)
    (folder / "gone.py").symlink_to("nowhere.py")
    (folder / "below").mkdir()
    (folder / "below/again").symlink_to("..")
    (folder / "esc\x1b[31m.py").write_text("import celery (\n")
    yield "esc\x1b[31m.py", "no code for Python"
    (folder / "folder.py").mkdir()
    (folder / "compose.yml").write_bytes(b"command: [\n\xff 'celery\n" + b"[" * 100_000 + b"\n")
    (folder / "Procfile").write_bytes(b"x: celery 'worker\n" + b"celery \\\n" * 10_000)
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.py")
