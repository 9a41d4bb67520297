"""The fixtures of `liteq.contrib.pytest`, as a project's tests use them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.project import ROOT

CONFTEST = """
import pytest

pytest_plugins = ("{plugin}",)

@pytest.fixture(scope="session")
def celery_config():
    return {{"task_default_queue": "tests"}}

@pytest.fixture(scope="session")
def celery_includes():
    return ["mytasks"]
"""
TESTS = """
import pytest
from {package} import current_app, shared_task

@shared_task
def double(x):
    return 2 * x

def test_worker(celery_app, celery_worker):
    assert double.delay(4).get(timeout=10) == 8
    assert current_app.conf.task_default_queue == "tests"
    assert celery_worker.app is celery_app

def test_a_task_of_the_test(celery_app, celery_worker):
    @celery_app.task
    def square(x):
        return x * x

    celery_worker.reload()
    assert square.delay(4).get(timeout=10) == 16

@pytest.mark.celery(task_default_queue="other")
def test_settings_of_one_test(celery_app):
    assert celery_app.conf.task_default_queue == "other"

def test_session(celery_session_app, celery_session_worker):
    assert celery_session_app.send_task("mytasks.triple", (4,)).get(timeout=10) == 12

def test_each_test_has_its_own(celery_app, celery_session_app):
    assert celery_app is not celery_session_app
"""
MYTASKS = "from {package} import shared_task\n@shared_task\ndef triple(x):\n    return 3 * x\n"


@pytest.mark.parametrize(
    ("package", "plugin", "options"),
    [
        ("liteq", "liteq.contrib.pytest", ()),
        ("celery", "celery.contrib.pytest", ("-p", "liteq.as_celery")),
    ],
)
def test_the_tests_of_a_project_use_its_app_and_workers(
    package: str, plugin: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    tmp_path.joinpath("conftest.py").write_text(CONFTEST.format(plugin=plugin))
    tmp_path.joinpath("test_it.py").write_text(TESTS.format(package=package))
    tmp_path.joinpath("mytasks.py").write_text(MYTASKS.format(package=package))

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )

    assert "5 passed" in done.stdout, done.stdout + done.stderr
