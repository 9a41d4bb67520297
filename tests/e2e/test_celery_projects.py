"""Projects written for Celery start with no line changed: `python -m liteq --as-celery`.

`tests/projects/README.md` says where each of them is from.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.project import ROOT, Program, Project

SHELL = ["manage.py", "shell", "-v", "0", "-c"]


class CeleryProject(Project):
    """A copy of a project in tests/projects. Its programs find Celery's modules served by liteq."""

    def __init__(self, name: str, folder: Path, *paths: str) -> None:
        self.folder = folder / name
        shutil.copytree(ROOT / "tests/projects" / name, self.folder)
        path = [str(ROOT), *(str(self.folder / each) for each in paths)]
        self.bare = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"}
        self.bare["LITEQ_BROKER_URL"] = f"sqlite:///{self.folder / 'tasks.db'}"
        # Python imports this module when it starts, whatever the program.
        (folder / "site").mkdir()
        (folder / "site/sitecustomize.py").write_text("import liteq.as_celery\n")
        path.append(str(folder / "site"))
        self.env = {**self.bare, "PYTHONPATH": os.pathsep.join(path)}

    @contextmanager
    def celery(self, *argv: str) -> Iterator[Program]:
        """Run `celery *argv`, a worker, for the block, which begins when it is ready."""
        command = [sys.executable, "-m", "liteq", "--as-celery", *argv]
        program = Program(command, self.folder, self.bare)
        try:
            program.wait_for_line("ready")
            yield program
        finally:
            program.kill()


def test_first_steps_with_celery(tmp_path: Path) -> None:
    project = CeleryProject("first_steps", tmp_path)

    with project.celery("-A", "tasks", "worker", "--loglevel=INFO") as worker:
        printed = project.python("""
from tasks import add
result = add.delay(4, 4)
print(result.get(timeout=10), result.ready())
wrong = add.delay(4, "4")
print(repr(wrong.get(propagate=False, timeout=10)))
print(wrong.traceback)
""")
        worker.wait_for_line(r"tasks\.add\[.*succeeded")

    assert "8 True\n" in printed
    assert f"tasks go to sqlite:///{project.folder}/tasks.db, by LITEQ_BROKER_URL" in printed
    (told,) = [line for line in worker.lines if "Warning" in line]
    assert "and not to pyamqp://guest@localhost//" in told
    assert "TypeError(" in printed
    assert "in add\n" in printed


def test_first_steps_with_a_configuration_module(tmp_path: Path) -> None:
    project = CeleryProject("configured", tmp_path)

    with project.celery("-A", "tasks", "worker", "-Q", "low-priority", "--loglevel=INFO"):
        printed = project.python("from tasks import add; print(add.delay(4, 4).get(timeout=10))")

    assert printed.endswith("8\n")


def test_next_steps(tmp_path: Path) -> None:
    project = CeleryProject("next_steps", tmp_path)

    with project.celery("-A", "proj", "worker", "-l", "INFO"):
        printed = project.python("""
from celery import chain, chord, group
from proj.celery import app
from proj.tasks import add, mul, xsum
print(add.apply_async((2, 2)).get(timeout=10), add(2, 2))
print(app.AsyncResult('this-id-does-not-exist').state)
print(add.signature((2, 2), countdown=10), add.s(2).delay(8).get(timeout=10))
print(group(add.s(i, i) for i in range(10))().get(timeout=10))
print(group(add.s(i) for i in range(10))(10).get(timeout=10))
print(chain(add.s(4, 4) | mul.s(8))().get(timeout=10))
print((add.s(4, 4) | mul.s(8))().get(timeout=10))
print(chord((add.s(i, i) for i in range(10)), xsum.s())().get(timeout=10))
print((group(add.s(i, i) for i in range(10)) | xsum.s())().get(timeout=10))
""")

    assert [line for line in printed.splitlines() if "Warning:" not in line] == [
        "4 4",
        "PENDING",
        "proj.tasks.add(2, 2) 10",
        "[0, 2, 4, 6, 8, 10, 12, 14, 16, 18]",
        "[10, 11, 12, 13, 14, 15, 16, 17, 18, 19]",
        "64",
        "64",
        "90",
        "90",
    ]


def test_a_program_runs_the_command_line_by_app_start(tmp_path: Path) -> None:
    project = CeleryProject("first_steps", tmp_path)
    program = project.folder / "tasks.py"
    program.write_text(f"{program.read_text()}\nif __name__ == '__main__':\n    app.start()\n")

    with project.program("tasks.py", "worker", "-l", "INFO") as worker:
        worker.wait_for_line("ready")
        printed = project.python("from tasks import add; print(add.delay(4, 4).get(timeout=10))")

    assert printed.endswith("8\n")


@pytest.fixture
def django_site(tmp_path: Path) -> CeleryProject:
    pytest.importorskip("django")
    project = CeleryProject("django_site", tmp_path)
    project.run("manage.py", "migrate")
    return project


def test_first_steps_with_django(django_site: CeleryProject) -> None:
    with django_site.celery("-A", "proj", "worker", "-l", "INFO") as worker:
        printed = django_site.run(
            *SHELL,
            """
from demoapp.models import Widget
from demoapp.tasks import add, count_widgets, rename_widget
widget = Widget.objects.create(name="old")
print(add.delay(2, 3).get(timeout=10), count_widgets.delay().get(timeout=10))
rename_widget.delay(widget.pk, "new").get(timeout=10)
widget.refresh_from_db()
print(widget.name)
""",
        )

    assert printed.endswith("5 1\nnew\n")
    assert "  . demoapp.tasks.count_widgets\n" in worker.lines
    assert "  . proj.celery.debug_task\n" in worker.lines


def test_a_task_of_django_is_sent_when_the_transaction_is_committed(
    django_site: CeleryProject,
) -> None:
    printed = django_site.run(
        *SHELL,
        """
from django.db import transaction
from demoapp.tasks import add
waiting = lambda: sum(each.tasks for each in add.app.broker.counts())
with transaction.atomic():
    add.delay_on_commit(2, 3)
    print("before", waiting())
print("after", waiting())
with transaction.atomic():
    add.apply_async_on_commit((2, 3))
    transaction.set_rollback(True)
print("rolled back", waiting())
""",
    )

    assert printed.endswith("before 0\nafter 1\nrolled back 1\n")


def test_the_tools_know_the_tasks_of_a_django_project(django_site: CeleryProject) -> None:
    called = django_site.liteq(
        "--as-celery", "-A", "proj", "call", "demoapp.tasks.add", "--args", "[2, 3]"
    )

    assert "no task" not in called


def test_a_worker_finds_tasks_of_apps_that_are_installed_by_their_configuration(
    django_site: CeleryProject,
) -> None:
    settings = django_site.folder / "proj/settings.py"
    text = settings.read_text()
    settings.write_text(text.replace("'demoapp',", "'demoapp.apps.DemoConfig',"))
    django_site.write(
        "demoapp/apps.py",
        "from django.apps import AppConfig\nclass DemoConfig(AppConfig):\n    name = 'demoapp'\n",
    )

    with django_site.celery("-A", "proj", "worker", "-P", "threads", "-l", "INFO") as worker:
        assert "  . demoapp.tasks.add\n" in worker.lines


@pytest.mark.parametrize("store_of", ["store", "redis_store"])
def test_background_tasks_with_flask(
    store_of: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("flask")
    url: str = request.getfixturevalue(store_of)
    project = CeleryProject("flask_site", tmp_path, "src")
    urls = {"FLASK_CELERY__broker_url": url, "FLASK_CELERY__result_backend": url}
    project.bare |= urls
    project.env |= urls

    with project.celery("-A", "make_celery", "worker", "--loglevel", "INFO"):
        printed = project.python("""
import time
from task_app import create_app
client = create_app().test_client()
print(client.get("/").status_code)
id = client.post("/tasks/add", data={"a": 4, "b": 2}).json["result_id"]
while not (found := client.get(f"/tasks/result/{id}").json)["ready"]:
    time.sleep(0.01)
print(found)
id = client.post("/tasks/process", data={"total": 1}).json["result_id"]
seen = []
while not (found := client.get(f"/tasks/result/{id}").json)["ready"]:
    seen.append(found["value"])
    time.sleep(0.01)
print({"current": 1, "total": 1} in seen, found["value"])
""")

    assert printed.splitlines() == [
        "200",
        "{'ready': True, 'successful': True, 'value': 6}",
        "True {'current': 1, 'total': 1}",
    ]


def test_a_worker_without_tasks_says_so(tmp_path: Path) -> None:
    project = Project(
        tmp_path, "from liteq import LiteQ\napp = LiteQ('project', broker='sqlite:///x')"
    )

    with project.worker("-l", "warning") as worker:
        worker.wait_for_line("has no tasks: `include`, `imports` or autodiscover_tasks")


def test_children_of_a_worker_open_connections_to_the_database_of_their_own(
    django_site: CeleryProject,
) -> None:
    """The project reads its database when it is imported, so its fork server has a connection."""
    with (django_site.folder / "proj/settings.py").open("a") as settings:
        settings.write("DATABASES['default']['CONN_MAX_AGE'] = None\n")  # keep connections
    django_site.write(
        "demoapp/tasks.py",
        """
from celery import shared_task
from django.db import connection
from demoapp.models import Widget

COUNT = Widget.objects.count()

@shared_task(serializer="json")
def opened():
    return connection.connection is not None
""",
    )

    with django_site.celery("-A", "proj", "worker", "-l", "INFO", "-c", "1") as worker:
        django_site.liteq("--as-celery", "-A", "proj", "call", "demoapp.tasks.opened")
        worker.wait_for_line(r"opened\[.*succeeded.*: False")


def test_a_broken_connection_to_the_database_is_replaced_before_the_next_task(
    django_site: CeleryProject,
) -> None:
    django_site.write(
        "demoapp/tasks.py",
        """
from celery import shared_task
from django.db import connection
from demoapp.models import Widget

@shared_task
def spoil():
    Widget.objects.count()
    connection.connection.close()
    connection.errors_occurred = True

@shared_task
def count():
    return Widget.objects.count()
""",
    )

    with django_site.celery("-A", "proj", "worker", "-l", "INFO", "-c", "1") as worker:
        for name in ("spoil", "count"):
            django_site.liteq("--as-celery", "-A", "proj", "call", f"demoapp.tasks.{name}")
            worker.wait_for_line(rf"{name}\[.*(succeeded|raised)")

        worker.wait_for_line(r"count\[.*succeeded.*: 0")
