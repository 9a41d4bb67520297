"""Two programs in two folders that use one name, and so one file."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.e2e.project import Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="XDG names the state folder there")

SOURCE = """
from liteq import LiteQ

app = LiteQ("tasks")

@app.task
def add(x, y):
    return x + y
"""
SEND = "import project; print(project.add.delay(2, 3).id)"
WARNING = "was made by a program in"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def project(state: Path, name: str) -> Project:
    made = Project(state.parent / name, SOURCE)
    made.env["XDG_STATE_HOME"] = str(state)
    made.env.pop("LITEQ_BROKER_URL", None)
    return made


def test_the_second_program_is_warned_with_both_folders_and_the_cure(state: Path) -> None:
    one, two = project(state, "one"), project(state, "two")

    assert WARNING not in one.python(SEND)
    said = two.python(SEND)
    with two.worker("-P", "threads") as worker:
        assert worker.output.count(WARNING) == 1

    assert f"{WARNING} {one.folder}, and this one is in {two.folder}." in said
    assert "another name in LiteQ(...), or a file of its own with broker=" in said
    assert WARNING not in one.python(SEND)


def test_one_program_is_one_wherever_it_is_started_and_whatever_looks_at_its_file(
    state: Path,
) -> None:
    one, other = project(state, "one"), project(state, "elsewhere")
    one.write("package/__init__.py", "")
    one.write("package/part/__init__.py", SOURCE)
    one.write("package/part/deep.py", SOURCE)
    one.write("script.py", "import project\n" + SOURCE + "add.delay(1, 1)\nproject.add.delay(1, 1)")
    other.env["PYTHONPATH"] += f":{one.folder}"
    (other.folder / "project.py").unlink()

    said = one.python(SEND) + other.python(SEND) + other.run(str(one.folder / "script.py"))
    for module in ("package.part", "package.part.deep"):
        said += other.python(f"from {module} import add; add.delay(1, 1)")
    said += one.run("-m", "package.part.deep")
    said += other.python("from liteq import LiteQ; LiteQ('tasks').send_task('project.add')")
    for command in (["status"], ["status", "-A", "project"]):  # no worker is up: not 0
        said += other.liteq(*command, code=None)

    assert WARNING not in said


def test_a_program_that_was_moved_goes_on(state: Path) -> None:
    one = project(state, "one")
    one.python(SEND)
    shutil.move(one.folder, state.parent / "moved")
    moved = project(state, "moved")

    assert WARNING not in moved.python(SEND)
    assert WARNING in project(state, "one").python(SEND)
    (state / "liteq" / "tasks.db-made-in").unlink()
    assert WARNING not in project(state, "one").python(SEND)


def test_a_store_that_is_named_is_shared_on_purpose(state: Path) -> None:
    one, two = project(state, "one"), project(state, "two")
    one.env["LITEQ_BROKER_URL"] = two.env["LITEQ_BROKER_URL"] = f"sqlite:///{state}/tasks.db"

    assert WARNING not in one.python(SEND) + two.python(SEND)
