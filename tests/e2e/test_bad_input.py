"""Errors at the start: one clear line, a documented exit code, nothing lost."""

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from .project import Project

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def refusal(project: Project, code: int, *argv: str) -> str:
    """Start a worker; return the one line that it ends with."""
    out = project.liteq("worker", *argv, code=code)
    lines = [line for line in out.splitlines() if line.startswith("liteq: ")]

    assert len(lines) == 1, out
    assert "Traceback" not in out
    return lines[0]


def test_no_application(project: Project) -> None:
    assert "-A" in refusal(project, 78)


def test_a_module_that_is_not_there(project: Project) -> None:
    assert "no module 'projct'" in refusal(project, 66, "-A", "projct")


def test_a_module_that_fails(project: Project) -> None:
    project.write("broken.py", "1 / 0")

    assert "ZeroDivisionError" in refusal(project, 66, "-A", "broken")


def test_a_module_without_an_application(project: Project) -> None:
    project.write("empty.py", "")

    assert "no LiteQ application in empty" in refusal(project, 66, "-A", "empty")


def test_a_variable_that_is_no_application(project: Project) -> None:
    assert "project has nothing of that name" in refusal(project, 66, "-A", "project:nobody")
    assert "not a LiteQ" in refusal(project, 66, "-A", "project:add")


def test_an_unknown_pool(project: Project) -> None:
    assert "did you mean 'threads'" in refusal(project, 78, "-A", "project", "-P", "thread")


@pytest.mark.parametrize(
    ("code", "options", "text"),
    [
        (78, ("--logfile", "no/such/folder/x.log"), "No such file or directory"),
        (78, ("--pidfile", "no/such/folder/x.pid"), "No such file or directory"),
        (65, ("-n", "a\nb"), "worker name"),
        (65, ("-Q", "a\x1bb"), "queue name"),
    ],
)
def test_an_option_that_is_not_valid(
    project: Project, code: int, options: tuple[str, ...], text: str
) -> None:
    assert text in refusal(project, code, "-A", "project", *options)


def test_an_unknown_level_is_refused_by_the_parser(project: Project) -> None:
    out = project.liteq("worker", "-A", "project", "-l", "loud", code=2)

    assert "choose one of DEBUG" in out
    assert "Traceback" not in out


def test_a_number_of_slots_that_is_none_is_refused_by_the_parser(project: Project) -> None:
    out = project.liteq("worker", "-A", "project", "-c", "-1", code=2)

    assert "'-1' is not a whole number from 1 on" in out


def test_an_unknown_broker(project: Project) -> None:
    assert "sqlite://" in refusal(project, 78, "-A", "project", "-b", "sqlit:///x.db")


def test_a_file_that_is_no_database(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "project.db"
    path.write_bytes(b"this is a letter to my mother" * 100)
    path.chmod(0o600)
    before = path.read_bytes()

    assert "not a liteq store" in refusal(project, 65, "-A", "project")
    assert path.read_bytes() == before


def test_another_programs_database(project: Project, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "project.db") as database:
        database.execute("create table contacts (name)")
    database.close()
    (tmp_path / "project.db").chmod(0o600)

    assert "another program's database" in refusal(project, 65, "-A", "project")


def test_a_store_of_a_newer_liteq(project: Project, tmp_path: Path) -> None:
    project.python("from project import add; add.delay(1, 2)")
    with sqlite3.connect(tmp_path / "project.db") as database:
        database.execute("update liteq_meta set value = 99 where name = 'schema'")
    database.close()

    assert "has schema 99, this liteq knows 3" in refusal(project, 65, "-A", "project")


@posix
def test_a_file_that_others_can_write(project: Project, tmp_path: Path) -> None:
    project.python("from project import add; add.delay(1, 2)")
    (tmp_path / "project.db").chmod(0o666)

    assert "chmod 600" in refusal(project, 77, "-A", "project")


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_writable(project: Project, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert "cannot create" in refusal(project, 69, "-A", "project")
    finally:
        tmp_path.chmod(0o700)


def test_a_store_that_is_deleted_under_a_running_worker(project: Project, tmp_path: Path) -> None:
    with project.worker() as worker:
        for path in tmp_path.glob("project.db*"):
            path.unlink()
        code = worker.wait()

    assert code == 74
    assert "was deleted or replaced while it was in use" in worker.output
    assert "Traceback" not in worker.output


def test_a_worker_goes_on_after_the_store_has_failed_for_a_while(
    project: Project, tmp_path: Path
) -> None:
    """The store is locked by another program for longer than a worker waits for the lock."""
    project.write(
        "impatient.py",
        "from liteq.brokers.sqlite import session\n"
        "session.PATIENCE = 0.2\n"
        "from project import app\n",
    )
    with project.worker("-A", "impatient:app", "-l", "warning") as worker:
        other = sqlite3.connect(tmp_path / "project.db", isolation_level=None)
        other.execute("begin immediate")
        worker.wait_for_line("the store fails, trying again: .*stayed locked")
        other.execute("rollback")
        other.close()
        worker.wait_for_line("the store works again")
        out = project.python("from project import add; print(add.delay(2, 3).get(timeout=20))")

    assert out == "5\n"
    assert worker.output.count("the store fails") == 1


def test_a_path_through_a_file(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/project.py/x.db"

    assert "cannot create" in refusal(project, 69, "-A", "project", "-b", url)


@posix
def test_the_file_and_those_beside_it_are_private(project: Project, tmp_path: Path) -> None:
    project.python(
        "import os; os.umask(0)\nfrom project import add; add.delay(1, 2)\n"
        "assert os.stat('project.db-wal')"
    )

    for path in tmp_path.glob("project.db*"):
        assert path.stat().st_mode & 0o777 == 0o600, path


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("add.delay(1, open(__import__('os').devnull))", "args[1]"),
        ("add.delay(1, y=(n for n in ()))", "kwargs['y']"),
        ("add.delay(1)", "missing"),
        ("add.delay(1, 2, 3)", "argument"),
        ("add.apply_async((1, 2), queue='a\\nb')", "queue"),
        ("add.apply_async((1, 2), task_id='a\\x1bb')", "id"),
        ("add.apply_async((1, 2), countdwn=3)", "countdown"),
        ("add.apply_async((1, 2), countdown=float('nan'))", "countdown"),
        ("add.delay(1, b'x' * (65 * 2**20))", "max_payload_size"),
        ("app.send_task('a\\nb')", "name"),
    ],
)
def test_a_call_that_cannot_be_sent_is_refused_at_once(
    project: Project, call: str, message: str
) -> None:
    out = project.python(
        "from project import *\n"
        f"try: {call}\n"
        "except Exception as exc: print(type(exc).__name__, exc)\n"
        "print('stored', sum(c.tasks for c in app.broker.counts()))"
    )

    assert message in out.splitlines()[0]
    assert out.splitlines()[-1] == "stored 0"
