"""A project whose store is in its own file, with `?shared=1`: workers, senders and the tools."""

import json
from pathlib import Path

import pytest

from tests.e2e.project import TASKS, Project
from tests.shop import make_shop, of_the_shop, opened

URL = "sqlite:///shop.db?shared=1"
# What the application does meanwhile: it writes, reads and checkpoints with connections of its own.
APPLICATION = """
import sqlite3, sys
for n in range(300):
    db = sqlite3.connect("shop.db", timeout=30, isolation_level=None)
    db.execute("begin immediate")
    db.execute("insert into task (title) values (?)", (f"{sys.argv[1]}-{n}",))
    db.execute("commit")
    db.execute("select count(*) from task").fetchall()
    db.close()
"""
SEND = """
import project
sent = [project.add.delay(n, n) for n in range(300)]
print(sum(result.get(timeout=60) for result in sent))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    make_shop(tmp_path / "shop.db")
    return Project(tmp_path, TASKS.replace("sqlite:///project.db", URL))


def test_the_application_and_the_queue_work_in_one_file(project: Project) -> None:
    path = project.folder / "shop.db"
    before = of_the_shop(path)
    with (
        project.worker("-c", "2"),
        project.program("-c", APPLICATION, "one") as one,
        project.program("-c", APPLICATION, "two") as two,
    ):
        assert project.python(SEND) == f"{sum(2 * n for n in range(300))}\n"
        assert (one.wait(), two.wait()) == (0, 0), one.output + two.output

    with opened(path) as db:
        assert db.execute("select count(*) from task").fetchall() == [(602,)]
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    after = of_the_shop(path)
    assert {**after, "rows": None} == {**before, "rows": None}


def test_doctor_names_what_is_not_ours_and_rewrites_nothing_of_it(project: Project) -> None:
    project.python("import project; project.add.delay(1, 2)")
    before = of_the_shop(project.folder / "shop.db")

    assert "not ours: order; task; worker\n" in project.liteq("doctor", "-A", "project")
    facts = json.loads(project.liteq("doctor", "-A", "project", "--repair", "--json"))
    assert (facts["shared"], facts["not_ours"]) == (True, ["order", "task", "worker"])
    said = project.liteq("doctor", "-A", "project", "--vacuum", code=78)
    assert "let the application run `vacuum`" in said
    assert of_the_shop(project.folder / "shop.db") == before


def test_commands_that_only_look_make_no_store_in_the_file(project: Project) -> None:
    before = (project.folder / "shop.db").read_bytes()
    for command in (["status"], ["doctor"], ["backup", "copy.db"], ["result", "x"]):
        assert "there is no" in project.liteq(*command, "-A", "project", code=None)

    assert (project.folder / "shop.db").read_bytes() == before
    assert not (project.folder / "copy.db").exists()


def test_the_file_is_refused_without_the_option_and_where_it_is_not_in_wal_mode(
    project: Project,
) -> None:
    said = project.liteq("worker", "-A", "project", "-b", "sqlite:///shop.db", code=65)
    assert "another program's database" in said
    assert "?shared=1" in said

    make_shop(project.folder / "old.db", "delete")
    for command in (["worker", "-A", "project"], ["call", "project.add", "-a", "[1, 2]"]):
        said = project.liteq(*command, "-b", "sqlite:///old.db?shared=1", code=78)
        assert "by `pragma journal_mode = wal`" in said
        assert "Traceback" not in said


def test_the_queue_is_moved_out_of_the_file_but_not_into_itself(project: Project) -> None:
    project.python("import project; project.add.delay(1, 2)")
    same = f"{URL}&durability=fast"
    assert "is both" in project.liteq("move", URL, same, "-A", "project", code=78)

    said = project.liteq("move", URL, "sqlite:///own.db", "-A", "project")
    assert "moved 1 ready" in said
    assert "celery  1" in project.liteq("status", "-b", "sqlite:///own.db", code=69)
