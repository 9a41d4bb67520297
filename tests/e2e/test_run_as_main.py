"""Modules that make the application and are run themselves, while others import them."""

from pathlib import Path

import pytest

from tests.e2e.project import Project

APP = """
from liteq import LiteQ

app = LiteQ("proj", broker="sqlite:///project.db", include=["{tasks}"])

@app.task
def add(x, y):
    return x + y

if __name__ == "__main__":
    app.conf.task_default_queue = "mail"
    app.start()
"""
TASKS = """
from {module} import app

@app.task
def double(n):
    return 2 * n

app.add_periodic_task(1000, double.s(1), name="regularly")
"""
SEND = """
from {tasks} import app, double
from {module} import add
app.conf.task_default_queue = "mail"
print(double.delay(21).get(timeout=10), add.delay(1, 2).get(timeout=10))
print([entry.name for entry in app.schedules])
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    for module, tasks in (("proj.celery", "proj.tasks"), ("single", "other")):
        for name, source in ((module, APP), (tasks, TASKS)):
            path = name.replace(".", "/") + ".py"
            project.write(path, source.format(module=module, tasks=tasks))
    return project


@pytest.mark.parametrize("init", ["", "from .celery import app\n"])
def test_a_module_of_a_package_can_be_run(project: Project, init: str) -> None:
    project.write("proj/__init__.py", init)

    with project.program("-m", "proj.celery", "worker", "-l", "info", "-c", "1") as worker:
        worker.wait_for_line("ready")
        printed = project.python(SEND.format(module="proj.celery", tasks="proj.tasks"))

    assert printed == "42 3\n['regularly']\n"


def test_a_script_can_be_run_that_other_modules_import(project: Project) -> None:
    with project.program("single.py", "worker", "-l", "info", "-c", "1") as worker:
        worker.wait_for_line("ready")
        printed = project.python(SEND.format(module="single", tasks="other"))

    assert printed == "42 3\n['regularly']\n"
