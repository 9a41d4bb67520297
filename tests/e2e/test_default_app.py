"""Programs that make no application: the default one runs their shared tasks."""

from pathlib import Path

import pytest

from tests.e2e.project import Project

SHARED = """
import os
from liteq import current_app, shared_task

@shared_task
def double(n):
    return 2 * n

@current_app.task
def where():
    return [os.getpid(), current_app.broker.url]
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, SHARED)
    project.env["LITEQ_BROKER_URL"] = f"sqlite:///{tmp_path}/project.db"
    return project


def test_a_module_of_shared_tasks_has_workers(project: Project) -> None:
    with project.worker() as worker:
        worker.wait_for_line("no application in project.*the default one")
        worker.wait_for_line(r"\. project\.double")
        printed = project.python("""
import os
from project import double, where
print(double.delay(21).get(timeout=10))
pid, store = where.delay().get(timeout=10)
print(pid != os.getpid(), store)
""")

    assert "42\n" in printed
    assert f"True sqlite:///{project.folder}/project.db" in printed


def test_current_app_may_be_named(project: Project) -> None:
    project.write("named.py", SHARED + "\napp = current_app\n")

    project.liteq("-A", "named", "call", "named.double", "--args", "[3]")
    printed = project.liteq("-A", "named:current_app", "jobs")

    assert "named.double" in printed


def test_a_module_that_uses_nothing_of_liteq_has_no_application(project: Project) -> None:
    project.write("other.py", "x = 1\n")

    printed = project.liteq("-A", "other", "status", code=None)

    assert "no LiteQ application in other" in printed
