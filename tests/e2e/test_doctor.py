"""`liteq doctor` and `liteq backup`, as users run them."""

import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.project import KILL, ROOT, Project, wait_for

URL = "sqlite:///project.db"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.python("import project; project.add.delay(1, 2)")
    return project


@contextmanager
def database(project: Project) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(project.folder / "project.db", isolation_level=None)) as found:
        yield found


def change(project: Project, sql: str, *values: object) -> None:
    with database(project) as db:
        db.execute(sql, values)


def held(project: Project) -> list[str]:
    with database(project) as db:
        return [task for (task,) in db.execute("select task from liteq_task where phase = 3")]


def doctor(project: Project, *options: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        project.liteq("doctor", "-A", "project", "--json", *options, code=code)
    )
    return found


def texts(found: dict[str, Any]) -> str:
    return "\n".join(each["what"] for each in found["findings"] if each["severity"] != "note")


def test_a_healthy_store_has_no_findings(project: Project) -> None:
    found = doctor(project)

    assert found["tasks"] == {"ready": 1}
    assert not texts(found)
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    facts = page.partition("### Facts of a store\n")[2].partition("\n## ")[0]
    assert {*re.findall(r"`(\w+)`", facts), "store", "findings", "done"} == set(found)
    assert "tasks: ready 1" in project.liteq("doctor", "-b", URL)


def test_tasks_of_a_dead_worker_are_reported_and_taken_back(project: Project) -> None:
    with project.worker() as worker:
        project.python("import project; project.nap.delay(1000)")
        worker.wait_for_line(r"project\.nap.* received")
        wait_for(lambda: held(project) == ["project.nap"], "the settled result of the other task")
        worker.send(KILL)
        worker.wait()

    found = doctor(project, code=1)
    assert found["orphans"] == 1
    assert "running tasks belong to workers that died" in texts(found)

    repaired = doctor(project, "--repair")
    assert repaired["done"][0] == "took back 1 tasks of dead workers"
    assert (repaired["orphans"], repaired["tasks"]["ready"]) == (0, 1)


@pytest.mark.parametrize(
    ("sql", "finding", "repaired"),
    [
        ("update liteq_task set phase = 3, worker = null", "no worker has them", True),
        ("update liteq_task set phase = 3, worker = 77", "no worker has them", True),
        ("update liteq_task set phase = 1, eta = null", "scheduled without an eta", True),
        ("update liteq_task set phase = 0", "have ended, or are not there", False),
        ("update liteq_task set phase = 42", "1 tasks are in a phase that is unknown here", False),
        (
            "update liteq_task set phase = 'soon'",
            "1 tasks are in a phase that is unknown here",
            False,
        ),
        ("update liteq_task set created = created + 86400", "creation time in the future", False),
    ],
)
def test_an_impossible_state_is_reported_and_repaired_where_that_is_safe(
    project: Project, sql: str, finding: str, repaired: bool
) -> None:
    change(project, sql)

    assert finding in texts(doctor(project, code=1))
    left = doctor(project, "--repair", code=0 if repaired else 1)
    assert (finding in texts(left)) is not repaired
    if repaired:
        assert left["tasks"] == {"ready": 1}


def test_a_task_that_waits_for_another_one_is_no_finding(project: Project) -> None:
    change(
        project,
        "insert into liteq_task (id, task, payload, phase, waits)"
        " select 'next', 'project.add', '[[1, 2], {}]', 0, id from liteq_task",
    )

    assert doctor(project)["stuck"] == 0


def test_a_task_that_waits_for_an_event_is_no_finding(project: Project) -> None:
    change(project, "update liteq_task set phase = 0, details = 1")
    assert doctor(project, code=1)["stuck"] == 1
    change(project, "insert into liteq_event_wait select seq, 'approved' from liteq_task")

    found = doctor(project)
    assert (found["stuck"], found["timeless"]) == (0, 0)


def test_listeners_of_processes_that_are_gone_are_dropped(project: Project) -> None:
    source = "import project; print('up'); project.nap.delay(1).get()"
    with project.program("-c", source) as waiting:
        waiting.wait_for_line("up")
        wait_for(lambda: doctor_listeners(project) == 1, "the listener")
        waiting.send(KILL)
        waiting.wait()

    assert doctor(project)["closed_listeners"] == 1
    assert doctor(project, "--repair")["closed_listeners"] == 0


def doctor_listeners(project: Project) -> int:
    with database(project) as db:
        ((listeners,),) = db.execute("select count(*) from liteq_listener")
        return int(listeners)


def test_a_damaged_page_is_found_and_nothing_is_written_to_the_file(project: Project) -> None:
    source = "import project\nfor n in range(300): project.shout.delay('x' * 500)"
    project.python(source)
    path = project.folder / "project.db"
    with path.open("r+b") as file:
        file.seek(100 * 2048)
        file.write(b"\x5a" * 8 * 2048)
    before = path.read_bytes()

    found = doctor(project, "--repair", code=65)
    assert found["damage"]
    assert "recover" in found["findings"][0]["cure"]
    assert found["done"] == []
    assert path.read_bytes() == before


def test_a_missing_store_is_not_created(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for command in (["doctor"], ["backup", "copy.db"]):
        output = project.liteq(*command, "-b", URL, code=69)
        assert "there is no" in output

    assert not list(tmp_path.glob("*.db*"))


def test_empty_space_is_given_back(project: Project) -> None:
    project.python(
        "import project\n"
        "from liteq.model.message import Message, new_id\n"
        "project.app.broker.enqueue("
        "[Message(new_id(), 'add', bytes(2000), 'json', 'celery') for _ in range(20000)])"
    )
    project.liteq("purge", "-A", "project", "--force")
    before = doctor(project)
    after = doctor(project, "--vacuum")

    assert "bytes of the file are empty" in json.dumps(before["findings"])
    assert after["size"] * 10 < before["size"]


def test_a_store_in_memory_has_no_doctor(tmp_path: Path) -> None:
    for command in (["doctor"], ["doctor", "--vacuum"], ["backup", "copy.db"]):
        assert "cannot be" in Project(tmp_path).liteq(*command, "-b", "memory://", code=78)


def test_no_tool_opens_the_file_by_itself(project: Project) -> None:
    """Closing it again would drop the locks of the connection (howtocorrupt, section 2.2)."""
    source = """
import os, sys
from liteq.cli import main
opened = []
def hook(event, args):
    if event == "open" and isinstance(args[0], str) and "project.db" in args[0]:
        opened.append(args[0])
sys.addaudithook(hook)
codes = [main(line.split()) for line in (
    "doctor -A project --repair", "doctor -A project --thorough --json", "status -A project",
    "backup -A project copy.db", "inspect -A project stats", "purge -A project -f")]
import project
project.app.close()
print(codes, sorted(set(os.path.basename(each) for each in opened)))
"""
    output = project.python(source).splitlines()[-1]

    assert output == "[0, 0, 69, 0, 69, 0] ['project.db-gate']"


# backup


def test_a_backup_is_whole_while_others_send(project: Project) -> None:
    source = "import project\nprint('up')\nwhile True: project.add.delay(1, 1)"
    with project.program("-c", source) as sender:
        sender.wait_for_line("up")
        sizes = []
        for n in range(5):
            project.liteq("backup", f"copy{n}.db", "-A", "project")
            with closing(sqlite3.connect(project.folder / f"copy{n}.db")) as copy:
                assert copy.execute("pragma integrity_check").fetchall() == [("ok",)]
                sizes += copy.execute("select count(*) from liteq_task").fetchone()

    assert sizes == sorted(sizes)
    assert sizes[0] > 0
    assert not list(project.folder.glob("*.part*"))


def test_the_tasks_of_a_backup_can_be_run(project: Project) -> None:
    output = project.liteq("backup", "copy.db", "-A", "project")
    assert "bytes" in output
    with project.worker("-b", "sqlite:///copy.db") as worker:
        worker.wait_for_line("succeeded")


def test_a_backup_replaces_no_file(project: Project) -> None:
    taken = project.write("taken.db", "mine")
    assert "is there already" in project.liteq("backup", "taken.db", "-A", "project", code=78)
    assert taken.read_text() == "mine"

    project.write("half.db.part", "")
    output = project.liteq("backup", "half.db", "-A", "project", code=78)
    assert "left from a backup that did not end" in output


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
def test_a_backup_is_for_its_owner_alone(project: Project) -> None:
    source = "import os, sys; os.umask(0); from liteq.cli import main; sys.exit(main(sys.argv[1:]))"
    project.run("-c", source, "backup", "copy.db", "-A", "project")

    assert (project.folder / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_backup_into_a_missing_folder_is_an_error(project: Project) -> None:
    output = project.liteq("backup", "nowhere/copy.db", "-A", "project", code=69)

    assert "cannot write" in output
    assert "No such file" in output
